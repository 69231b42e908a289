"""What runs say about models: intervals, differences, verdicts. Plain arrays in, numbers out.

Two things blur an accuracy: the luck of the seed, which more seeds average away, and the
luck of which images are in the test set, which they do not. Here both are kept apart.
A correctness matrix is (S, N): S seeds, N test images, true where a run is right. Which
test stands where, and how well it keeps its promises, is told in docs/statistics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Difference",
    "Summary",
    "TimeRatio",
    "Verdict",
    "anytime_p_value",
    "confidence_sequence",
    "decide",
    "difference",
    "error_of_test_set",
    "expected_sd",
    "holm",
    "mcnemar",
    "seed_test",
    "seeds_needed",
    "summarize",
    "time_ratio",
]

CONFIDENCE = 0.95
POWER = 0.80
SMALLEST_DIFFERENCE = 0.01
"""A difference of accuracies below this interests nobody, unless a comparison says otherwise."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Values of several seeds in brief; what one value cannot tell is None."""

    mean: float | None
    sd: float | None
    """Sample standard deviation (n - 1)."""
    low: float | None
    high: float | None
    """Ends of the 95 % t interval of the mean."""
    n: int


def summarize(values: Sequence[float]) -> Summary:
    """Mean, sample sd and 95 % t interval of the finite values; n counts those."""
    finite = np.array([value for value in values if math.isfinite(value)], dtype=float)
    if len(finite) == 0:
        return Summary(None, None, None, None, 0)
    mean = float(finite.mean())
    if len(finite) == 1:
        return Summary(mean, None, None, None, 1)
    sd = float(finite.std(ddof=1))
    half = _t_quantile(len(finite) - 1) * sd / math.sqrt(len(finite))
    return Summary(mean, sd, mean - half, mean + half, len(finite))


def error_of_test_set(correct: NDArray[np.bool_]) -> float:
    """Standard error of the mean accuracy of these very runs, over other sets of N test images.

    For one run that is the binomial sqrt(p (1 - p) / N).
    """
    return float(correct.mean(axis=0).std() / math.sqrt(correct.shape[1]))


def expected_sd(correct: NDArray[np.bool_]) -> float | None:
    """The sd over seeds if runs differed by independent tosses of each image's own coin alone.

    A measured sd near it means that the runs are equally good models which err on
    different images (Jordan 2023, arXiv 2304.01910). None for one seed.
    """
    seeds, images = correct.shape
    if seeds < 2:
        return None
    right = correct.mean(axis=0)
    # The factor makes the mean of p (1 - p) unbiased.
    return float(np.sqrt((right * (1 - right)).mean() * seeds / (seeds - 1) / images))


@dataclass(frozen=True)
class Difference:
    """How much more accurate a is than b, over the seeds that both ran."""

    difference: float
    low: float
    high: float
    """95 % interval for other seeds and other test images; infinite where seeds are too few."""
    seeds_low: float
    seeds_high: float
    """95 % interval for other seeds on these test images."""
    sd: float | None
    """Of the differences of runs of one seed."""
    p_value: float | None
    """Two-sided, over seeds: no difference on these test images."""
    probability: float | None
    """P(A > B): that a run of a beats a run of b, each from a seed of its own."""
    n: int


def difference(
    a: NDArray[np.bool_], b: NDArray[np.bool_], *, sequential: bool = False
) -> Difference:
    """Compare two (S, N) correctness matrices whose rows share seeds and so the order of images.

    The interval joins the paired t interval over seeds and the normal one over images as
    the square root of the sum of their squares (MOVER, Zou and Donner 2008). `sequential`
    is for seeds that were added after looking: test and interval over seeds are then those
    that hold however often one looks.
    """
    seeds, images = a.shape
    by_image = a.astype(float) - b
    differences = by_image.mean(axis=1)
    mean = float(differences.mean())
    if seeds < 2:
        nowhere = (-math.inf, math.inf)
        return Difference(mean, *nowhere, *nowhere, None, None, None, seeds)
    accuracies = a.mean(axis=1), b.mean(axis=1)
    sd = float(differences.std(ddof=1))
    if sequential:
        half = confidence_sequence(differences)
        p_value: float | None = anytime_p_value(differences)
    else:
        half = _t_quantile(seeds - 1) * sd / math.sqrt(seeds)
        p_value = seed_test(differences)
    residuals = by_image - by_image.mean(axis=0) - differences[:, None] + mean
    noise = float(np.square(residuals).sum() / ((seeds - 1) * (images - 1)))
    # Of the images' variance, the part that is not the runs' own noise on each image.
    variance = float(by_image.mean(axis=0).var(ddof=1)) - noise / seeds
    whole = math.hypot(half, _normal_quantile() * math.sqrt(max(0.0, variance) / images))
    return Difference(
        difference=mean,
        low=mean - whole,
        high=mean + whole,
        seeds_low=mean - half,
        seeds_high=mean + half,
        sd=sd,
        p_value=p_value,
        probability=_probability_of_better(*accuracies),
        n=seeds,
    )


def _probability_of_better(a: Floats, b: Floats) -> float:
    against = a[:, None] - b[None, :]
    return float((against > 0).mean() + (against == 0).mean() / 2)


FLIPS_FROM = 10
"""Seeds from which signs are flipped; five flips could give no p-value below 0.06."""

RANDOM_FLIPS = 20_000


def seed_test(differences: ArrayLike) -> float | None:
    """Two-sided p-value of no mean difference, from the paired differences of two seeds or more.

    From ten seeds on the permutation test that flips their signs: all flips where there
    are at most 2^13 that differ, else 20,000 at random, the same every time. Below that
    the paired t-test. None where a few differences are all the same: an accident of
    accuracies that count images, which tells nothing of their spread.
    """
    values = np.asarray(differences, dtype=float)
    n = len(values)
    if n >= FLIPS_FROM:
        sums = np.abs(_signs(n) @ values)
        # Equal sums differ by rounding.
        return float(np.mean(sums >= abs(values.sum()) * (1 - 1e-9)))
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    if sd <= 1e-12:
        return None if abs(mean) > 1e-12 else 1.0
    from scipy.special import stdtr

    return 2 * float(stdtr(n - 1, -abs(mean) / sd * math.sqrt(n)))


def _signs(n: int) -> Floats:
    if n <= 14:
        # All but the first sign: the other half says the same of a sum without sign.
        return np.array(list(product((1.0,), *[(1.0, -1.0)] * (n - 1))))
    signs = np.random.default_rng(0).choice((1.0, -1.0), size=(RANDOM_FLIPS, n))
    signs[0] = 1
    return signs


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Exact two-sided p-value that two single networks are right equally often (Dietterich 1998).

    Takes their (N,) correctness. It speaks of these two networks, not of their models.
    """
    from scipy.special import bdtr

    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number (Holm 1979): the chance of any false alarm stays at 5 %."""
    order = np.argsort(p_values)
    scaled = np.array(p_values, dtype=float)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return [float(value) for value in adjusted]


# Looking again and again. The prior on the true difference, in units of the sd over seeds, is
# normal with sd 2: whatever it is, the promise holds; it decides where the test is strongest.
_C2 = 1 / 2**2


def anytime_p_value(differences: ArrayLike) -> float:
    """Two-sided p-value of a mean of 0 that stays valid however often one has looked.

    One over the largest value so far of the scale-invariant mixture martingale
    (Wang and Ramdas 2024, "Anytime-valid t-tests and confidence sequences for Gaussian
    means with unknown variance", after Lai 1976), in the order in which seeds came.
    """
    values = np.asarray(differences, dtype=float)
    n = np.arange(1, len(values) + 1)
    squares = (n + _C2) * np.cumsum(values**2)
    rest = squares - np.cumsum(values) ** 2
    growth = np.divide(squares, rest, out=np.ones_like(rest), where=rest > 0)
    log_evidence = 0.5 * np.log(_C2 / (n + _C2)) + 0.5 * n * np.log(growth)
    return float(np.exp(-max(0.0, log_evidence.max())))


def confidence_sequence(differences: ArrayLike, alpha: float = 1 - CONFIDENCE) -> float:
    """Half-width of the interval for the mean that covers it at every look together.

    The values that the test above does not refuse; infinite while seeds are too few.
    """
    values = np.asarray(differences, dtype=float)
    n = len(values)
    bound = (math.sqrt((n + _C2) / _C2) / alpha) ** (2 / n)
    scale = n * (n + _C2 - bound * _C2)
    if scale <= 0:
        return math.inf
    spread = float(np.square(values - values.mean()).sum())
    return math.sqrt((bound - 1) * (n + _C2) * spread / scale)


Word = Literal["better", "worse", "no difference", "cannot tell"]


@dataclass(frozen=True)
class Verdict:
    """What follows from a difference and its p-value; `str` says it in words."""

    word: Word
    limit: float | None = None
    """Of "no difference": the largest that the seeds leave possible."""
    seeds: int | None = None
    """Of "cannot tell": about how many seeds would."""
    beyond_these_images: bool = False
    """Whether other test images can be expected to say the same."""

    def __str__(self) -> str:
        if self.word == "no difference" and self.limit is not None:
            words = f"no difference larger than {100 * self.limit:.2f} points"
        elif self.word == "cannot tell":
            return f"cannot tell yet: about {self.seeds} seeds would" if self.seeds else self.word
        else:
            words = self.word
        return words if self.beyond_these_images else f"{words} on these test images"


def decide(
    found: Difference, p_value: float | None, smallest: float = SMALLEST_DIFFERENCE, pairs: int = 1
) -> Verdict:
    """The verdict on a, given the p-value adjusted for all `pairs` that are judged together.

    A difference is denied where the interval over seeds leaves room for less than `smallest`.
    """
    if p_value is None or found.sd is None:
        return Verdict("cannot tell")
    if p_value < 1 - CONFIDENCE:
        word: Word = "better" if found.difference > 0 else "worse"
        return Verdict(word, beyond_these_images=found.low > 0 or found.high < 0)
    limit = max(-found.seeds_low, found.seeds_high)
    if limit < smallest:
        beyond = max(-found.low, found.high) < smallest
        return Verdict("no difference", limit=limit, beyond_these_images=beyond)
    sought = max(abs(found.difference), smallest)
    needed = seeds_needed(sought, found.sd, (1 - CONFIDENCE) / pairs)
    return Verdict("cannot tell", seeds=max(needed, found.n + 1))


def seeds_needed(difference: float, sd: float, alpha: float = 1 - CONFIDENCE) -> int:
    """Seeds that show a true mean difference with 80 % power, two-sided at `alpha`.

    `sd` is that of the paired differences; the power is the noncentral t's.
    """
    from scipy.special import nctdtr

    if sd == 0:
        return 2

    def power(n: int) -> float:
        return 1 - float(
            nctdtr(n - 1, math.sqrt(n) * difference / sd, _t_quantile(n - 1, 1 - alpha))
        )

    n = high = 2
    while power(high) < POWER:
        n, high = high, 2 * high
    while n < high:
        middle = (n + high) // 2
        n, high = (n, middle) if power(middle) >= POWER else (middle + 1, high)
    # So many flips it takes for a p-value below alpha to exist at all.
    return n if n < FLIPS_FROM else max(n, math.ceil(1 - math.log2(alpha)))


@dataclass(frozen=True)
class TimeRatio:
    """How many times as long a takes as b, with its 95 % interval."""

    ratio: float
    low: float
    high: float


def time_ratio(a: Sequence[float], b: Sequence[float]) -> TimeRatio | None:
    """Compare seconds by their geometric means (Welch on logarithms); None below two each."""
    if min(len(a), len(b)) < 2:
        return None
    logs = [np.log(seconds) for seconds in (a, b)]
    errors = [float(values.var(ddof=1) / len(values)) for values in logs]
    mean = float(logs[0].mean() - logs[1].mean())
    half = 0.0
    if sum(errors) > 0:
        # Welch and Satterthwaite's degrees of freedom.
        parts = [error**2 / (len(values) - 1) for error, values in zip(errors, logs, strict=True)]
        half = _t_quantile(sum(errors) ** 2 / sum(parts)) * math.sqrt(sum(errors))
    return TimeRatio(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def _t_quantile(degrees: float, confidence: float = CONFIDENCE) -> float:
    # scipy.special alone: scipy.stats takes seconds to import on a slow machine.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + confidence / 2))


def _normal_quantile(confidence: float = CONFIDENCE) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence / 2))
