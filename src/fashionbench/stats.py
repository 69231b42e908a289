"""Intervals and paired differences over seeds, on plain arrays."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Difference",
    "Summary",
    "holm",
    "paired_difference",
    "standard_error_of_accuracy",
    "summarize",
]

CONFIDENCE = 0.95


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


@dataclass(frozen=True)
class Difference:
    """a - b over the seeds that both ran; None for what the seeds cannot tell."""

    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    n: int


def paired_difference(a: Sequence[float], b: Sequence[float]) -> Difference:
    """The mean of a[i] - b[i], with a paired t interval and two-sided p-value.

    Pairs are runs of one seed, which share the order of images.
    """
    differences = np.subtract(a, b, dtype=float)
    n, mean = len(differences), float(differences.mean())
    if n < 2:
        return Difference(mean, None, None, None, n)
    error = float(differences.std(ddof=1)) / math.sqrt(n)
    half = _t_quantile(n - 1) * error
    if error == 0:  # a coincidence of few seeds: their spread cannot be estimated
        return Difference(mean, None, None, None, n)
    from scipy.special import stdtr

    p_value = 2 * float(stdtr(n - 1, -abs(mean) / error))
    return Difference(mean, mean - half, mean + half, p_value, n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number (Holm 1979): the chance of any false alarm stays at 5 %."""
    order = np.argsort(p_values)
    scaled = np.array(p_values, dtype=float)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return [float(value) for value in adjusted]


def standard_error_of_accuracy(accuracy: float, images: int) -> float:
    """What the finite test set alone leaves uncertain; more seeds do not shrink it."""
    return math.sqrt(accuracy * (1 - accuracy) / images)


def _t_quantile(degrees: int) -> float:
    # scipy.special alone: scipy.stats takes seconds to import on a slow machine.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + CONFIDENCE / 2))
