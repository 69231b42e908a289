"""Splits dealt anew from all images of a data set: where among them does the official one lie?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Place",
    "deal",
    "judge_by_neighbours",
    "neighbours_needed",
    "place",
]


@dataclass(frozen=True)
class Place:
    """A number of the official split among those of splits that were dealt by chance."""

    official: float
    mean: float
    sd: float
    low: float
    high: float
    """Between these lie 95 % of the deals."""
    share_below: float
    """Share of the deals whose number is lower; of equal ones half counts."""
    n: int
    """Deals."""


def place(official: float, dealt: Sequence[float]) -> Place:
    """Return where a number lies among those of two or more deals."""
    values = np.asarray(dealt, float)
    low, high = np.quantile(values, (0.025, 0.975))
    below = (values < official).mean() + (values == official).mean() / 2
    return Place(
        official=official,
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)),
        low=float(low),
        high=float(high),
        share_below=float(below),
        n=len(values),
    )


def deal(
    labels: NDArray[Any], test_images: NDArray[Any], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return (N,) which images are for testing: of each class as many as asked, by chance."""
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels, minlength=len(test_images))
    ranks = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    testing = np.zeros(len(labels), bool)
    testing[order] = ranks < np.repeat(test_images, counts)
    return testing


def neighbours_needed(images: int, test_images: int) -> int:
    """Return how many nearest neighbours hold a training image for all images, almost surely.

    All of an image's neighbours are test images with the chance share ** neighbours.
    """
    share = test_images / images
    return min(images - 1, math.ceil(math.log(1e-9 / images) / math.log(share)))


def judge_by_neighbours(
    neighbours: NDArray[np.int64],
    distances: NDArray[Any],
    labels: NDArray[Any],
    deals: Iterator[NDArray[np.bool_]],
) -> Iterator[tuple[float, float]]:
    """Yield for each deal the accuracy of the nearest training image, and its mean distance.

    `neighbours` are the (N, k) positions of the nearest other images, the nearest first.
    """
    for testing in deals:
        rows = np.flatnonzero(testing)
        nearest = (~testing[neighbours[rows]]).argmax(axis=1)
        found = neighbours[rows, nearest]
        accuracy = (labels[found] == labels[rows]).mean()
        yield float(accuracy), float(distances[rows, nearest].mean())
