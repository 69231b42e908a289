"""Scores against torchmetrics."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchmetrics import functional as metrics

from fashionbench.scores import CALIBRATION_BINS, image_losses, score

# 1,003 images: no multiple of any batch size, and one class that is never predicted.
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 10, 1003)
LOGITS = RNG.normal(size=(1003, 10)) + 2 * np.eye(10)[LABELS]
LOGITS[:, 6] = -9


@pytest.mark.parametrize(
    ("field", "metric", "options"),
    [
        ("accuracy", "accuracy", {}),
        ("macro_f1", "f1_score", {"average": "macro"}),
        ("precision", "precision", {"average": None}),
        ("recall", "recall", {"average": None}),
        ("confusion", "confusion_matrix", {}),
        ("calibration_error", "calibration_error", {"n_bins": CALIBRATION_BINS}),
    ],
)
def test_agrees_with_torchmetrics(field: str, metric: str, options: dict[str, object]) -> None:
    logits, labels = torch.tensor(LOGITS), torch.tensor(LABELS)
    if metric == "calibration_error":
        logits = logits.softmax(1)
    expected = getattr(metrics, metric)(logits, labels, "multiclass", num_classes=10, **options)
    found = torch.tensor(getattr(score(LOGITS, LABELS), field), dtype=torch.float64)
    torch.testing.assert_close(found, expected.double(), rtol=1e-5, atol=1e-6)


def test_losses_are_torchs_cross_entropy() -> None:
    expected = F.cross_entropy(torch.tensor(LOGITS), torch.tensor(LABELS), reduction="none")
    np.testing.assert_allclose(image_losses(LOGITS, LABELS), expected.numpy())
    assert score(LOGITS, LABELS).loss == pytest.approx(float(expected.mean()))


def test_large_logits_do_not_overflow() -> None:
    assert score(LOGITS * 1e4, LABELS).accuracy == score(LOGITS, LABELS).accuracy
    assert np.isfinite(image_losses(LOGITS * 1e4, LABELS)).all()


def test_nan_logits_are_scored_as_what_they_are() -> None:
    scores = score(np.full((40, 10), np.nan), np.arange(40) % 10)
    assert scores.accuracy == 0.1
    assert np.isnan(scores.loss)
    assert scores.recall == [1.0] + [0.0] * 9


def test_an_infinite_logit_is_the_class_that_is_called() -> None:
    logits = np.zeros((40, 10))
    logits[:, 3] = np.inf
    scores = score(logits, np.full(40, 3))
    assert scores.accuracy == 1.0
    assert not np.isfinite(scores.loss)


def test_calibration_counts_every_image_once() -> None:
    rows = score(LOGITS, LABELS).calibration
    assert sum(images for images, _, _ in rows) == len(LABELS)
    assert len(rows) == CALIBRATION_BINS
