"""Tuning curves: the lowest loss that so many trials are likely to find, in a band free of models.

After Lourie, Cho and He 2024, "Show Your Work with Confidence: Confidence Bands for Tuning Curves"
(arXiv 2311.09480). The loss of a trial has some distribution F over the points of the space and
seeds; the best of k trials has a median that depends on F alone. A band that holds all of F, with a
chance of 95 % whatever F is, becomes a band that holds the median at every k.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fashionbench.stats.intervals import CONFIDENCE

__all__ = ["CurvePoint", "distribution_band", "tuning_curve"]

Floats = NDArray[np.float64]
STEPS = 50
"""Of a bisection: to the precision of a float."""


@dataclass(frozen=True)
class CurvePoint:
    """What so many trials find; a loss that cannot be told is infinite."""

    trials: int
    median: float
    """Of the lowest loss of so many trials, estimated."""
    low: float
    """Lower end of the 95 % band; minus infinity where the trials are too few to tell."""
    high: float


def tuning_curve(losses: Sequence[float]) -> list[CurvePoint]:
    """Return the median of the lowest loss of 1, 2, ... trials, with a 95 % band for all at once.

    `losses` are those of independent trials, infinite where one failed. The band assumes nothing of
    their distribution; quasi-random points, which cover a space more evenly than independent
    ones, it covers more often than it promises.
    """
    n = len(losses)
    ordered = np.sort(np.asarray(losses, dtype=float))
    low, high = distribution_band(n)
    curve = []
    for trials in range(1, n + 1):
        # The best of k is above y with a chance of (1 - F(y))^k.
        level = 1 - 0.5 ** (1 / trials)
        # An end is an order statistic: the sample says nothing between two of them.
        at_most = np.searchsorted(low, level)
        at_least = np.searchsorted(high, level)
        curve.append(
            CurvePoint(
                trials,
                median=float(ordered[math.ceil(n * level * (1 - 1e-12)) - 1]),
                low=float(ordered[at_least - 1]) if at_least > 0 else -math.inf,
                high=float(ordered[at_most]) if at_most < n else math.inf,
            )
        )
    return curve


@lru_cache
def distribution_band(n: int, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Return (n,) low and (n,) high: between them lies F at all values of a sorted sample.

    F at the i-th of n values is distributed as Beta(i, n + 1 - i), whatever F is. Each is given the
    interval of highest density, all of one level, which is found by the exact chance that all hold
    at once (Learned-Miller and DeStefano 2008, with the intervals of Lourie, Cho and He).
    """
    smallest, largest = 0.0, 1 - confidence
    for _ in range(STEPS):
        alpha = (smallest + largest) / 2
        if _chance_that_all_hold(*_densest(n, alpha)) < confidence:
            largest = alpha
        else:
            smallest = alpha
    return _densest(n, smallest)


def _densest(n: int, alpha: float) -> tuple[Floats, Floats]:
    """Return the ends of the highest-density intervals of Beta(i, n + 1 - i), i from 1 to n."""
    from scipy.special import betaincinv

    a = np.arange(1.0, n + 1)
    b = n + 1 - a
    least, most = np.zeros(n), np.full(n, alpha)
    low = high = a
    for _ in range(STEPS):
        # What lies below the interval; at its right size both ends are equally dense.
        below = (least + most) / 2
        low, high = betaincinv(a, b, below), betaincinv(a, b, 1 - alpha + below)
        with np.errstate(divide="ignore", invalid="ignore"):
            lean = (a - 1) * np.log(low / high) + (b - 1) * np.log((1 - low) / (1 - high))
        # A density that falls or rises throughout begins or ends with its interval.
        rises = np.where(a == 1, False, np.where(b == 1, True, lean < 0))
        least, most = np.where(rises, below, least), np.where(rises, most, below)
    return np.where(a == 1, 0.0, low), np.where(b == 1, 1.0, high)


def _chance_that_all_hold(low: Floats, high: Floats) -> float:
    """Return the chance that the i-th of n sorted uniform numbers is in its interval, for all i.

    The number of values up to t is followed from end to end as a Poisson process that has n events
    in the end; paths that break an interval are dropped on the way.
    """
    from scipy.special import gammaln

    n = len(low)
    counts = np.arange(n + 1)
    chances = (counts == 0).astype(float)
    passed = 0.0
    for end in np.unique(np.concatenate([low, high, [1.0]])):
        step = n * (end - passed)
        if step > 0:
            growth = np.exp(counts * math.log(step) - step - gammaln(counts + 1))
            chances = np.convolve(chances, growth)[: n + 1]
        passed = float(end)
        allowed = (counts <= (low < end).sum()) & (counts >= (high <= end).sum())
        chances = np.where(allowed, chances, 0)
    return float(chances[n] / math.exp(n * math.log(n) - n - gammaln(n + 1)))
