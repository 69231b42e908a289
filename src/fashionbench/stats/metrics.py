"""Logits and labels -> scores, in float64 and without torch.

Everything is summed over images and divided once: averaging per-batch values
with a short last batch gives wrong numbers.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CALIBRATION_BINS",
    "Scores",
    "Ties",
    "classify",
    "find_temperature",
    "find_ties",
    "image_losses",
    "rank_classes",
    "score",
]

CALIBRATION_BINS = 15
"""Equal-width confidence bins, as in Guo et al. 2017, arXiv 1706.04599."""


@dataclass(frozen=True)
class Scores:
    """How well one model does on one set of images. K classes; accuracies are fractions."""

    accuracy: float
    loss: float
    """Mean cross-entropy over images, in nats; NaN or infinite for a diverged run."""
    macro_f1: float
    precision: list[float] = field(repr=False)
    """(K,) of the images called k, the fraction that are k; 0 where none is called k."""
    recall: list[float] = field(repr=False)
    """(K,) of the images that are k, the fraction called k."""
    confusion: list[list[int]] = field(repr=False)
    """(K, K) image counts; rows are true classes, columns predicted ones."""
    calibration_error: float
    """Expected calibration error: mean |confidence - accuracy| over bins, weighted by images."""
    calibration: list[tuple[int, float, float]] = field(repr=False)
    """A row a confidence bin: images, mean confidence, accuracy."""


def log_softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return (N, K) log-probabilities in nats."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def image_losses(logits: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the (N,) cross-entropy of each image, in nats."""
    return np.asarray(-log_softmax(logits)[np.arange(len(labels)), labels])


def find_temperature(logits: NDArray[Any], labels: NDArray[Any]) -> float | None:
    """Find the number in [0.05, 20] by which to divide (N, K) logits for the least loss.

    Temperature scaling, Guo et al. 2017: probabilities of images that were not trained on
    become as high as the model is right, and no prediction changes. None where there are
    no images or a logit is no number.
    """
    from scipy.optimize import minimize_scalar

    if not len(labels) or not np.isfinite(logits).all():
        return None
    # The loss is convex in 1 / temperature, so in its logarithm it has one minimum.
    found = minimize_scalar(
        lambda log: image_losses(logits / np.exp(log), labels).mean(),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
    )
    return float(np.exp(found.x))


def classify(logits: NDArray[Any]) -> NDArray[np.intp]:
    """Return the (N,) classes that (N, K) logits predict: the largest, of equal ones the first.

    NaN is taken for the largest of all.
    """
    return np.asarray(logits.argmax(axis=-1))


def rank_classes(values: NDArray[Any]) -> NDArray[np.intp]:
    """Order the classes of each row of (..., K) logits or probabilities, the predicted one first.

    Of equal ones the first class comes first, so that every list begins with what `classify` says.
    """
    return np.asarray(np.lexsort((-values, ~np.isnan(values))))


@dataclass(frozen=True)
class Ties:
    """Images whose largest logit is not alone, and what another rule would make of them."""

    images: int
    """How many images have a largest logit that is not alone."""
    accuracy_by_chance: float
    """The accuracy expected where one of the largest is drawn; scores take the first."""
    accuracy_by_last: float
    """The accuracy where the last of the largest is taken, as by scikit-learn's top-k."""


def find_ties(logits: NDArray[Any], labels: NDArray[Any]) -> Ties:
    """Count the rows of (N, K) logits whose largest is not alone, and score them by other rules."""
    classes = logits.shape[1]
    largest = logits == logits.max(axis=1, keepdims=True)  # none of a row with NaN
    shared = largest.sum(axis=1)
    first = classify(logits)
    last = np.where(shared > 1, classes - 1 - largest[:, ::-1].argmax(axis=1), first)
    chance = largest[np.arange(len(labels)), labels] / np.maximum(shared, 1)
    return Ties(
        images=int((shared > 1).sum()),
        accuracy_by_chance=float(np.where(shared > 1, chance, first == labels).mean()),
        accuracy_by_last=float((last == labels).mean()),
    )


def score(logits: NDArray[Any], labels: NDArray[Any]) -> Scores:
    """Score (N, K) logits against (N,) labels by the classes that `classify` predicts."""
    classes = logits.shape[1]
    with np.errstate(invalid="ignore"):
        log_probabilities = log_softmax(logits)
    predicted = classify(logits)
    hits = predicted == labels
    confusion = np.bincount(labels * classes + predicted, minlength=classes**2)
    confusion = confusion.reshape(classes, classes)
    right, called, true = confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)
    confidence = np.nan_to_num(np.exp(log_probabilities.max(axis=1)))
    calibration = _calibration(confidence, hits)
    return Scores(
        accuracy=float(hits.mean()),
        loss=float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        macro_f1=float(_ratio(2 * right, called + true).mean()),
        precision=_ratio(right, called).tolist(),
        recall=_ratio(right, true).tolist(),
        confusion=confusion.tolist(),
        calibration_error=sum(n * abs(c - a) for n, c, a in calibration) / len(labels),
        calibration=calibration,
    )


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0))


def _calibration(
    confidence: NDArray[np.float64], hits: NDArray[np.bool_]
) -> list[tuple[int, float, float]]:
    # Bins are closed on the right, (0, 1/15], (1/15, 2/15], ..., as in the paper.
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    sums = [np.bincount(bins, weights, CALIBRATION_BINS) for weights in (confidence, hits)]
    means = [_ratio(total, counts) for total in sums]
    return list(zip(counts.tolist(), means[0].tolist(), means[1].tolist(), strict=True))
