"""How much more accurate one model is than another, over other seeds and other test images.

Which test stands where, and how well it keeps its promises, is told in docs/statistics.md.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fashionbench.stats.intervals import CONFIDENCE, EQUAL, t_p_value
from fashionbench.stats.sequential import anytime_p_value
from fashionbench.stats.spread import Spread, can_flip_signs, list_signs

__all__ = [
    "Difference",
    "adjust",
    "difference",
    "holm",
    "holm_factors",
    "mcnemar",
    "probability_a_beats_b",
    "seed_test",
]

Floats = NDArray[np.float64]


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
    limit_other_test_images: float
    """The same for other test images too."""
    sd: float | None
    """Of the differences of runs of one seed."""
    p_value: float | None
    """Two-sided, over seeds: no difference on these test images."""
    p_value_other_test_images: float | None
    """The same for other test images too: the interval at confidence 1 - p ends at zero."""
    probability_a_beats_b: float | None
    """P(A > B): that a run of a beats a run of b, each from a seed of its own."""
    n: int
    spread: Spread
    """Gives intervals at other levels."""


def difference(
    a: NDArray[np.bool_] | Floats,
    b: NDArray[np.bool_] | Floats,
    *,
    pairs: int = 1,
    sequential: bool = False,
) -> Difference:
    """Compare two (S, N) correctness matrices whose rows share seeds and so the order of images.

    The interval joins the paired t interval over seeds and the normal one over images.
    `pairs` is how many are judged together. `sequential` is for seeds that were added after
    looking: test and interval over seeds are then those that hold however often one looks.
    """
    seeds = len(a)
    by_image = a.astype(float) - b
    differences = by_image.mean(axis=1)
    mean = float(differences.mean())
    if seeds < 2:
        inf = math.inf
        spread = Spread((mean,), inf, sequential)
        return Difference(
            mean, -inf, inf, -inf, inf, inf, inf, None, None, None, None, seeds, spread
        )
    p_value = seed_test(differences, pairs)
    if sequential and p_value is not None:
        p_value = anytime_p_value(differences)
    spread = Spread(tuple(differences.tolist()), _error_over_images(by_image), sequential)
    alpha, is_known = 1 - CONFIDENCE, p_value is not None

    def half(half_width: Callable[[float], float], alpha: float) -> float:
        return half_width(alpha) if is_known else math.inf

    both, over_seeds = half(spread.over_both, alpha), half(spread.over_seeds, alpha)
    return Difference(
        difference=mean,
        low=mean - both,
        high=mean + both,
        seeds_low=mean - over_seeds,
        seeds_high=mean + over_seeds,
        limit=abs(mean) + half(spread.over_seeds, alpha / pairs),
        limit_other_test_images=abs(mean) + half(spread.over_both, alpha / pairs),
        sd=spread.sd,
        p_value=p_value,
        p_value_other_test_images=spread.level_over_both(abs(mean)) if is_known else None,
        probability_a_beats_b=probability_a_beats_b(a.mean(axis=1), b.mean(axis=1)),
        n=seeds,
        spread=spread,
    )


def _error_over_images(by_image: Floats) -> float:
    """Return the standard error of the mean over images, without the runs' own noise on each."""
    seeds, images = by_image.shape
    means = by_image.mean(axis=0)
    residuals = by_image - means - by_image.mean(axis=1, keepdims=True) + by_image.mean()
    noise = float(np.square(residuals).sum() / ((seeds - 1) * (images - 1)))
    return math.sqrt(max(0.0, float(means.var(ddof=1)) - noise / seeds) / images)


def probability_a_beats_b(a: Floats, b: Floats) -> float:
    """Return in what share of all pairs, a run of each, the first is better; ties are half."""
    against = a[:, None] - b[None, :]
    return float((against > 0).mean() + (against == 0).mean() / 2)


def seed_test(differences: ArrayLike, pairs: int = 1) -> float | None:
    """Return the two-sided p-value of no mean difference, given those of two seeds or more.

    It is that of the permutation test that flips their signs, if the smallest p-value that flips
    can give, times the number of pairs judged together, is at most a tenth of 5 %. All flips are
    made where at most 2^13 of them differ, else 20,000 at random, the same every time. With fewer
    seeds it is that of the paired t-test, or None if all differences are equal: of a few seeds that
    is an accident of accuracies that count images, and says nothing about their spread.
    """
    values = np.asarray(differences, dtype=float)
    n = len(values)
    if can_flip_signs(n, pairs):
        sums = np.abs(list_signs(n) @ values)
        # Equal sums differ by rounding.
        return float(np.mean(sums >= abs(values.sum()) * (1 - 1e-9)))
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    return t_p_value(mean, sd / math.sqrt(n), n - 1) if sd > EQUAL else None


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value of two single networks being right equally often.

    It is McNemar's test (Dietterich 1998) of their (N,) correctness, and is about these two
    networks, not about their models.
    """
    from scipy.special import bdtr

    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for their number (Holm 1979): the chance of any false alarm stays at 5 %.

    Those that are None stay so and do not count.
    """
    return [adjust(p, factor) for p, factor in zip(p_values, holm_factors(p_values), strict=True)]


def adjust(p_value: float | None, factor: float | None) -> float | None:
    """Multiply a p-value by its factor, up to 1; None stays None."""
    return None if p_value is None or factor is None else min(1.0, p_value * factor)


def holm_factors(p_values: Sequence[float | None]) -> list[float | None]:
    """Return by what Holm multiplies each p-value: the number of pairs, and less for larger ones.

    None stays None. A p-value below another's is never adjusted above it.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    factors: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, p * (len(known) - rank))
        factors[index] = largest / p if p > 0 else float(len(known) - rank)
    return factors
