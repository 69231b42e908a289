"""What runs say about models: intervals, differences, verdicts. Plain arrays in, numbers out.

Two things blur an accuracy: the luck of the seed, which more seeds average away, and the
luck of which images are in the test set, which they do not. Here both are kept apart.
A correctness matrix is (S, N): S seeds, N test images, true where a run is right. Which
test stands where, and how well it keeps its promises, is told in docs/statistics.md.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Difference",
    "Summary",
    "TimeRatio",
    "anytime_p_value",
    "confidence_sequence",
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
    limit: float
    """The largest difference that seeds leave possible, at 95 % for all pairs together."""
    limit_beyond: float
    """The same for other test images too."""
    sd: float | None
    """Of the differences of runs of one seed."""
    p_value: float | None
    """Two-sided, over seeds: no difference on these test images."""
    p_value_beyond: float | None
    """The same for other test images too: the interval at confidence 1 - p ends at zero."""
    probability: float | None
    """P(A > B): that a run of a beats a run of b, each from a seed of its own."""
    n: int


def difference(
    a: NDArray[np.bool_], b: NDArray[np.bool_], *, pairs: int = 1, sequential: bool = False
) -> Difference:
    """Compare two (S, N) correctness matrices whose rows share seeds and so the order of images.

    The interval joins the paired t interval over seeds and the normal one over images as
    the square root of the sum of their squares (MOVER, Zou and Donner 2008). `pairs` is how
    many are judged together. `sequential` is for seeds that were added after looking: test
    and interval over seeds are then those that hold however often one looks.
    """
    seeds = len(a)
    by_image = a.astype(float) - b
    differences = by_image.mean(axis=1)
    mean = float(differences.mean())
    if seeds < 2:
        inf = math.inf
        return Difference(mean, -inf, inf, -inf, inf, inf, inf, None, None, None, None, seeds)
    sd = float(differences.std(ddof=1))
    p_value = seed_test(differences, pairs)
    if sequential and p_value is not None:
        p_value = anytime_p_value(differences)
    error = _error_over_images(by_image)

    def over_seeds(alpha: float) -> float:
        """Half-width of the interval at confidence 1 - alpha."""
        if p_value is None:
            return math.inf
        if sequential:
            return confidence_sequence(seeds, sd, alpha)
        return _t_quantile(seeds - 1, 1 - alpha) * sd / math.sqrt(seeds)

    def over_both(alpha: float) -> float:
        return math.hypot(over_seeds(alpha), _normal_quantile(1 - alpha) * error)

    alpha = 1 - CONFIDENCE
    return Difference(
        difference=mean,
        low=mean - over_both(alpha),
        high=mean + over_both(alpha),
        seeds_low=mean - over_seeds(alpha),
        seeds_high=mean + over_seeds(alpha),
        limit=abs(mean) + over_seeds(alpha / pairs),
        limit_beyond=abs(mean) + over_both(alpha / pairs),
        sd=sd,
        p_value=p_value,
        p_value_beyond=None if p_value is None else _level_of(over_both, abs(mean)),
        probability=_probability_of_better(a.mean(axis=1), b.mean(axis=1)),
        n=seeds,
    )


def _error_over_images(by_image: Floats) -> float:
    """Standard error of the mean over images, without the runs' own noise on each image."""
    seeds, images = by_image.shape
    means = by_image.mean(axis=0)
    residuals = by_image - means - by_image.mean(axis=1, keepdims=True) + by_image.mean()
    noise = float(np.square(residuals).sum() / ((seeds - 1) * (images - 1)))
    return math.sqrt(max(0.0, float(means.var(ddof=1)) - noise / seeds) / images)


def _level_of(half_width: Callable[[float], float], distance: float) -> float:
    """The alpha at which the half-width of an interval is `distance`."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if half_width(middle) < distance else (middle, high)
    return high


def _probability_of_better(a: Floats, b: Floats) -> float:
    against = a[:, None] - b[None, :]
    return float((against > 0).mean() + (against == 0).mean() / 2)


RANDOM_FLIPS = 20_000


def seed_test(differences: ArrayLike, pairs: int = 1) -> float | None:
    """Two-sided p-value of no mean difference, from the paired differences of two seeds or more.

    The permutation test that flips their signs, where the smallest p-value that flips can
    give, times the number of pairs judged together, is at most a tenth of 5 %: all flips where
    there are at most 2^13 that differ, else 20,000 at random, the same every time. Elsewhere
    the paired t-test, or None if all differences are the same: of a few seeds that is an
    accident of accuracies that count images, and tells nothing of their spread.
    """
    values = np.asarray(differences, dtype=float)
    n = len(values)
    if pairs / min(2 ** (n - 1), RANDOM_FLIPS) <= (1 - CONFIDENCE) / 10:
        sums = np.abs(_signs(n) @ values)
        # Equal sums differ by rounding.
        return float(np.mean(sums >= abs(values.sum()) * (1 - 1e-9)))
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    if sd <= 1e-12:
        return None
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


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for their number (Holm 1979): the chance of any false alarm stays at 5 %.

    Those that are None stay so and do not count.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, p * (len(known) - rank))
        adjusted[index] = min(largest, 1.0)
    return adjusted


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


def confidence_sequence(n: int, sd: float, alpha: float = 1 - CONFIDENCE) -> float:
    """Half-width of the interval for the mean of `n` differences that covers it at every look.

    The values that the test above does not refuse; infinite while seeds are too few.
    """
    bound = (math.sqrt((n + _C2) / _C2) / alpha) ** (2 / n)
    scale = n * (n + _C2 - bound * _C2)
    if scale <= 0:
        return math.inf
    return sd * math.sqrt((bound - 1) * (n + _C2) * (n - 1) / scale)


def seeds_needed(
    difference: float, sd: float, alpha: float = 1 - CONFIDENCE, *, sequential: bool = False
) -> int:
    """Seeds that show a true mean difference with 80 % power, two-sided at `alpha`.

    `sd` is that of the paired differences; the power is the noncentral t's. Where one looks
    again and again, so many that four of five intervals of the last look exclude zero; looks
    before it make the power a little higher.
    """
    from scipy.special import nctdtr, ndtri

    if sd == 0:
        return 2

    def enough(n: int) -> bool:
        error = sd / math.sqrt(n)
        if sequential:
            return bool(confidence_sequence(n, sd, alpha) + ndtri(POWER) * error <= difference)
        return bool(1 - nctdtr(n - 1, difference / error, _t_quantile(n - 1, 1 - alpha)) >= POWER)

    n = high = 2
    while not enough(high):
        n, high = high, 2 * high
    while n < high:
        middle = (n + high) // 2
        n, high = (n, middle) if enough(middle) else (middle + 1, high)
    return n


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
