"""What many runs call images: how many of them disagree with the label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONSENSUS", "count_votes", "find_consensus", "most_called", "share_disagreeing"]

CONSENSUS = 0.99
"""A label is doubtful if at least this share of the runs disagree with it."""


def count_votes(predicted: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Count, from (R, N) predicted classes of R runs, how many call an image each class: (N, K)."""
    images = predicted.shape[1]
    cells = predicted.astype(np.int64) + np.arange(images) * classes
    counts = np.bincount(cells.ravel(), minlength=images * classes)
    return np.asarray(counts.reshape(images, classes), np.int64)


def share_disagreeing(votes: NDArray[np.int64], labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return (N,) the share of runs that call an image another class than its label."""
    return np.asarray(1 - votes[np.arange(len(labels)), labels] / votes.sum(axis=1))


def most_called(votes: NDArray[np.int64], labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return (N,) the class, other than its label, that most runs call an image.

    Of classes that equally many call it, that is the first.
    """
    others = votes.copy()
    others[np.arange(len(labels)), labels] = -1
    return np.asarray(others.argmax(axis=1), np.int64)


def find_consensus(votes: NDArray[np.int64], labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (N,) whether nearly all runs, a share of CONSENSUS, disagree with a label."""
    return np.asarray(share_disagreeing(votes, labels) >= CONSENSUS)
