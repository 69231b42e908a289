"""Parts of a data set against each other: by what models score on them, and by what they hold."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashionbench.stats.intervals import normal_quantile

__all__ = ["PartDifference", "compare_parts", "evenness", "shares_by_tenth"]


@dataclass(frozen=True)
class PartDifference:
    """A mean over the images of one part, and that of another less it."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    """95 % interval of the difference, for other images of the same kind in both parts."""


def compare_parts(first: NDArray[Any], second: NDArray[Any]) -> PartDifference:
    """Compare (N,) and (M,) values of images, each a mean over runs; Welch, with many images."""
    variance = sum(values.var(ddof=1) / len(values) for values in (first, second))
    means = float(first.mean()), float(second.mean())
    half = normal_quantile() * math.sqrt(variance)
    difference = means[1] - means[0]
    return PartDifference(*means, difference, difference - half, difference + half)


def shares_by_tenth(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return (10,) means of (N,) values in the order of the file, of a tenth of it each."""
    return np.array([part.mean() for part in np.array_split(values.astype(float), 10)])


def evenness(values: NDArray[Any]) -> float:
    """Return the p-value of all tenths having the same mean: one-way analysis of variance.

    1 where all values are equal.
    """
    from scipy.special import fdtrc

    parts = np.array_split(values.astype(float), 10)
    between = sum(len(part) * (part.mean() - values.mean()) ** 2 for part in parts) / 9
    within = sum(((part - part.mean()) ** 2).sum() for part in parts) / (len(values) - 10)
    if within == 0:
        return 1.0 if between == 0 else 0.0
    return float(fdtrc(9, len(values) - 10, between / within))
