"""How well scores tell two groups apart: the area under the ROC curve, with its interval.

DeLong, DeLong and Clarke-Pearson 1988; by ranks, as Sun and Xu 2014 do it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashionbench.stats.intervals import normal_quantile

__all__ = ["Auc", "area_under_curve", "average_areas"]


@dataclass(frozen=True)
class Auc:
    """The chance that an image of the second group has a higher score than one of the first."""

    auc: float
    error: float
    """Its standard error over images."""

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of its 95 % interval."""
        half = normal_quantile() * self.error
        return max(0.0, self.auc - half), min(1.0, self.auc + half)


def area_under_curve(scores: NDArray[Any], is_second: NDArray[np.bool_]) -> Auc:
    """Return the area for (N,) scores of images of two groups; of equal scores half counts."""
    from scipy.stats import rankdata

    first, second = scores[~is_second], scores[is_second]
    among_all = rankdata(np.concatenate([first, second]))
    # Of each image: the share of the other group that it is above, or below.
    above = (among_all[len(first) :] - rankdata(second)) / len(first)
    below = 1 - (among_all[: len(first)] - rankdata(first)) / len(second)
    variance = above.var(ddof=1) / len(second) + below.var(ddof=1) / len(first)
    return Auc(float(above.mean()), math.sqrt(variance))


def average_areas(areas: Sequence[Auc]) -> Auc:
    """Return the mean area of folds, whose scores were given by different models."""
    errors = [area.error for area in areas]
    return Auc(
        float(np.mean([area.auc for area in areas])),
        float(np.sqrt(np.square(errors).sum())) / len(areas),
    )
