"""The split as a third source of luck: runs on splits that were dealt anew from the same images.

Another split gives other training images and other test images, and its runs have seeds of their
own, so that the scatter of the splits' means holds all three. But splits of one pool share most of
their images: their plain variance promises too much. It is corrected as Nadeau and Bengio 2003
("Inference for the generalization error") do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fashionbench.stats.intervals import CONFIDENCE, EQUAL, t_p_value, t_quantile

__all__ = ["OverSplits", "summarize_splits"]


@dataclass(frozen=True)
class OverSplits:
    """The mean of a number over splits dealt anew."""

    mean: float
    sd: float
    """Sample standard deviation of the splits' own means."""
    low: float
    high: float
    """95 % interval for other seeds, other images and other splits of them."""
    limit: float
    """The largest mean, in either direction, that is possible: at 95 % for all pairs together."""
    p_value: float | None
    """Two-sided, of a mean of 0; None where all splits gave the same."""
    n: int
    """The number of splits."""

    def turned(self) -> "OverSplits":
        """Return the same of the negated number."""
        return replace(self, mean=-self.mean, low=-self.high, high=-self.low)


def summarize_splits(
    means: Sequence[float], *, train_images: int, test_images: int, pairs: int = 1
) -> OverSplits | None:
    """Summarize a number's means on K splits dealt anew, each over its runs; None for fewer than 2.

    The error of their mean is the sd times sqrt(1 / K + test / training images), with K - 1
    degrees of freedom: without the second term it would forget what all splits have in common.
    `pairs` is how many differences are judged together.
    """
    count = len(means)
    if count < 2:
        return None
    mean, sd = float(np.mean(means)), float(np.std(means, ddof=1))
    error = sd * math.sqrt(1 / count + test_images / train_images)

    def half(alpha: float) -> float:
        return t_quantile(count - 1, 1 - alpha) * error

    alpha = 1 - CONFIDENCE
    return OverSplits(
        mean=mean,
        sd=sd,
        low=mean - half(alpha),
        high=mean + half(alpha),
        limit=abs(mean) + half(alpha / pairs),
        p_value=t_p_value(mean, error, count - 1) if sd > EQUAL else None,
        n=count,
    )
