"""Looking again and again: what holds however often one looks, and the seeds that it takes.

The prior on the true difference, in units of the sd over seeds, is normal with sd 2: whatever the
difference is, the promise holds; the prior decides where the test is strongest.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from fashionbench.stats.intervals import CONFIDENCE, t_quantile

__all__ = [
    "MOST_NEEDED",
    "anytime_p_value",
    "confidence_sequence",
    "seeds_needed",
    "smallest_shown",
]

POWER = 0.80
MOST_NEEDED = 1_000_000
"""Seeds: where more are needed, no number is told."""

_C2 = 1 / 2**2
"""One over the prior's variance."""


def anytime_p_value(differences: ArrayLike) -> float:
    """Return the two-sided p-value of a mean of 0 that stays valid however often one has looked.

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
    """Return half the width of the interval that covers the mean of `n` differences at every look.

    It holds the values that the test above does not reject; infinite while seeds are too few.
    """
    bound = (math.sqrt((n + _C2) / _C2) / alpha) ** (2 / n)
    scale = n * (n + _C2 - bound * _C2)
    if scale <= 0:
        return math.inf
    return sd * math.sqrt((bound - 1) * (n + _C2) * (n - 1) / scale)


def seeds_needed(
    difference: float, sd: float, alpha: float = 1 - CONFIDENCE, *, sequential: bool = False
) -> int | None:
    """Return how many seeds show a true mean difference with 80 % power, two-sided at `alpha`.

    None stands for more than a million.

    `sd` is that of the paired differences; the power is the noncentral t's. With `sequential` it
    is the number with which four of five intervals of the last look exclude zero; the looks before
    it make the power a little higher.
    """
    from scipy.special import ndtri

    if sd == 0:
        return 2

    def enough(n: int) -> bool:
        error = sd / math.sqrt(n)
        if sequential:
            return bool(confidence_sequence(n, sd, alpha) + ndtri(POWER) * error <= difference)
        critical = t_quantile(n - 1, 1 - alpha)
        return _power(n, min(difference / error, _certain(critical)), critical) >= POWER

    n = high = 2
    while not enough(high):
        if high == MOST_NEEDED:
            return None
        n, high = high, min(2 * high, MOST_NEEDED)
    while n < high:
        middle = (n + high) // 2
        n, high = (n, middle) if enough(middle) else (middle + 1, high)
    return n


def _power(n: int, shift: float, critical: float) -> float:
    """Return how often t of `n` differences is above `critical` if their mean is `shift` errors."""
    from scipy.special import nctdtr

    return float(1 - nctdtr(n - 1, shift, critical))


def _certain(critical: float) -> float:
    """Return a shift at which the power is above POWER for sure; it is no number far beyond."""
    return 10 * critical + 10


def smallest_shown(n: int, sd: float, alpha: float = 1 - CONFIDENCE) -> float:
    """Return the smallest true mean difference that `n` seeds show with 80 % power.

    It is the inverse of `seeds_needed`, for a number of seeds that is fixed beforehand.
    """
    from scipy.optimize import brentq

    if sd == 0:
        return 0.0
    critical = t_quantile(n - 1, 1 - alpha)

    def lacking(shift: float) -> float:
        return _power(n, shift, critical) - POWER

    return float(brentq(lacking, 0, _certain(critical))) * sd / math.sqrt(n)
