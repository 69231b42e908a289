"""How far a difference of two models may be off: over other seeds, and other test images too.

The intervals over seeds are those of the tests in difference.py: they end at zero where the p-value
is the level. With intervals of another kind, an interval and its p-value could contradict.
"""

import math
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fashionbench.stats.intervals import CONFIDENCE, normal_quantile, t_quantile
from fashionbench.stats.sequential import confidence_sequence

__all__ = ["Spread", "can_flip_signs", "list_signs"]

RANDOM_FLIPS = 20_000


@dataclass(frozen=True)
class Spread:
    """What is known of a difference: its value for each seed, and its error over images."""

    by_seed: tuple[float, ...]
    """Differences of accuracy of the runs of one seed, in the order in which seeds came."""
    error_over_images: float
    """Standard error over other test images, without the runs' own noise on each."""
    sequential: bool
    """Whether seeds were added after looking, so that it has to hold however often one looked."""

    @property
    def mean(self) -> float:
        """The mean difference."""
        return float(np.mean(self.by_seed))

    @property
    def is_known(self) -> bool:
        """Whether these seeds tell anything of others."""
        return len(self.by_seed) > 1

    @cached_property
    def sd(self) -> float:
        """Sample standard deviation over the seeds, of which there are two or more."""
        return float(np.std(self.by_seed, ddof=1))

    def over_seeds(self, alpha: float) -> float:
        """Return half the width of the interval over seeds at confidence 1 - alpha."""
        n, sd = len(self.by_seed), self.sd
        if self.sequential:
            return confidence_sequence(n, sd, alpha)
        return t_quantile(n - 1, 1 - alpha) * sd / math.sqrt(n)

    def over_both(self, alpha: float) -> float:
        """Return the same over seeds and test images.

        The square root of the sum of their squares (MOVER, Zou and Donner 2008).
        """
        return math.hypot(
            self.over_seeds(alpha), normal_quantile(1 - alpha) * self.error_over_images
        )

    def level_over_both(self, distance: float) -> float:
        """Return the alpha at which half the width over seeds and images is `distance`."""
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if self.over_both(middle) < distance else (middle, high)
        return high

    def interval_of_test(self, alpha: float, pairs: int) -> tuple[float, float]:
        """Return the ends of the means that the test over seeds does not reject at level alpha.

        Which test that is depends on how many `pairs` are judged together.
        """
        if self.sequential:
            return self._narrowest_so_far(alpha)
        if can_flip_signs(len(self.by_seed), pairs):
            return _unrejected_by_flips(np.array(self.by_seed), alpha)
        half = self.over_seeds(alpha)
        return self.mean - half, self.mean + half

    def _narrowest_so_far(self, alpha: float) -> tuple[float, float]:
        """Intersect the intervals of all looks: each holds at every look, and so do all."""
        lows, highs = [-math.inf], [math.inf]
        for seeds in range(2, len(self.by_seed) + 1):
            then = Spread(self.by_seed[:seeds], 0.0, sequential=True)
            half = then.over_seeds(alpha)
            lows.append(then.mean - half)
            highs.append(then.mean + half)
        low, high = max(lows), min(highs)
        # Looks that contradict each other come in one of twenty comparisons at most.
        return (low, high) if low <= high else (lows[-1], highs[-1])


def can_flip_signs(seeds: int, pairs: int) -> bool:
    """Tell whether flips can give a p-value far below 5 %, also adjusted for all `pairs`."""
    smallest = 1 / min(2 ** (seeds - 1), RANDOM_FLIPS)
    return bool(pairs * smallest <= (1 - CONFIDENCE) / 10)


@cache
def list_signs(n: int) -> NDArray[np.float64]:
    """List the (F, n) flips: all where there are at most 2^13, else 20,000 at random.

    All but the first sign are flipped: the other half says the same of a sum without sign.
    The first of the list flips nothing.
    """
    if n <= 14:
        return np.array(list(product((1.0,), *[(1.0, -1.0)] * (n - 1))))
    signs = np.random.default_rng(0).choice((1.0, -1.0), size=(RANDOM_FLIPS, n))
    signs[0] = 1
    return signs


def _unrejected_by_flips(values: NDArray[np.float64], alpha: float) -> tuple[float, float]:
    """Return the ends of the means that flipping signs does not reject.

    A sum of flipped values around a supposed mean, a - x b, is at least as far from 0 as the
    unflipped one, n x, up to one x on either side of the measured mean; so many flips must be.
    """
    n, mean = len(values), float(values.mean())
    signs = list_signs(n)
    balance = signs.sum(axis=1)
    sums = signs @ values - mean * balance
    enough = max(math.ceil(alpha * len(signs) - 1e-9), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.fmax(sums / (n - balance), -sums / (n + balance))
        above = np.fmax(sums / (n + balance), -sums / (n - balance))
    for reach in (below, above):
        reach[np.abs(balance) == n] = np.inf  # these flip nothing, or all
    half_below, half_above = (
        float(np.partition(reach, -enough)[-enough]) * (1 + 1e-9) for reach in (below, above)
    )
    return mean - half_below, mean + half_above
