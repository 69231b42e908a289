"""Values of several runs, summarized: mean, spread and 95 % interval.

Two things blur an accuracy: the luck of the seed, which more seeds average away, and the luck of
which images are in the test set, which they do not. Here both are kept apart. A correctness
matrix is (S, N): S seeds, N test images, true where a run is right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CONFIDENCE",
    "Summary",
    "TimeRatio",
    "error_of_test_set",
    "expected_sd",
    "normal_quantile",
    "share_interval",
    "summarize",
    "summarize_fractions",
    "t_p_value",
    "t_quantile",
    "time_ratio",
]

CONFIDENCE = 0.95
EQUAL = 1e-12
"""The sd below which values differ by rounding alone."""


@dataclass(frozen=True)
class Summary:
    """A summary of the values of several seeds; what one value cannot tell is None."""

    mean: float | None
    sd: float | None
    """Sample standard deviation (n - 1)."""
    low: float | None
    high: float | None
    """Ends of the 95 % interval of the mean."""
    n: int


def summarize(values: Sequence[float]) -> Summary:
    """Return mean, sample sd and 95 % t interval of the finite values; n counts those.

    Equal values have no interval: that a few agree tells nothing of how far others scatter.
    """
    finite = np.array([value for value in values if math.isfinite(value)], dtype=float)
    if len(finite) == 0:
        return Summary(None, None, None, None, 0)
    mean = float(finite.mean())
    if len(finite) == 1:
        return Summary(mean, None, None, None, 1)
    sd = float(finite.std(ddof=1))
    if sd <= EQUAL:
        return Summary(mean, sd, None, None, len(finite))
    half = t_quantile(len(finite) - 1) * sd / math.sqrt(len(finite))
    return Summary(mean, sd, mean - half, mean + half, len(finite))


def summarize_fractions(values: Sequence[float]) -> Summary:
    """Return mean, sample sd and 95 % interval of finite fractions; its ends lie within 0 and 1.

    It is the t interval on the scale of logits, log(p / (1 - p)), to which the standard error is
    carried over by the slope at the mean (delta method). Far from 0 and 1 it equals the t interval;
    near them, where that one reaches beyond, it covers the mean more often too.
    """
    plain = summarize(values)
    if plain.mean is None or plain.high is None:
        return plain
    from scipy.special import expit, logit

    half = (plain.high - plain.mean) / (plain.mean * (1 - plain.mean))
    middle = float(logit(plain.mean))
    return replace(plain, low=float(expit(middle - half)), high=float(expit(middle + half)))


def share_interval(count: int, n: int) -> tuple[float, float]:
    """Return the ends of Wilson's 95 % interval of a share, where `count` of `n` have it."""
    if n == 0:
        return 0.0, 1.0
    z, share = normal_quantile(), count / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def error_of_test_set(correct: NDArray[np.bool_]) -> float:
    """Return the standard error of the mean accuracy of these runs over other sets of N images.

    For one run that is the binomial sqrt(p (1 - p) / N).
    """
    return float(correct.mean(axis=0).std() / math.sqrt(correct.shape[1]))


def expected_sd(correct: NDArray[np.bool_]) -> float | None:
    """Return the sd over seeds if runs differed by chance alone in which images they get right.

    Each image then has a chance of its own, and each run tosses anew. A measured sd near it means
    that the runs are equally good models which err on different images (Jordan 2023, arXiv
    2304.01910). None for one seed.
    """
    seeds, images = correct.shape
    if seeds < 2:
        return None
    right = correct.mean(axis=0)
    # The factor makes the mean of p (1 - p) unbiased.
    return float(np.sqrt((right * (1 - right)).mean() * seeds / (seeds - 1) / images))


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
        half = t_quantile(sum(errors) ** 2 / sum(parts)) * math.sqrt(sum(errors))
    return TimeRatio(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def t_p_value(mean: float, error: float, degrees: float) -> float:
    """Return the two-sided p-value of a true mean of 0, given a mean and its standard error."""
    from scipy.special import stdtr

    return 2 * float(stdtr(degrees, -abs(mean) / error))


def t_quantile(degrees: float, confidence: float = CONFIDENCE) -> float:
    """Return how many standard errors the ends of a central t interval lie from its middle."""
    # scipy.special alone: scipy.stats takes seconds to import on a slow machine.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + confidence / 2))


def normal_quantile(confidence: float = CONFIDENCE) -> float:
    """Return how many standard errors the ends of a central normal interval lie from its middle."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence / 2))
