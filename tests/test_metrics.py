"""Scores against torchmetrics."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics import functional as metrics

from fashionbench.stats.metrics import (
    CALIBRATION_BINS,
    classify,
    find_temperature,
    find_ties,
    image_losses,
    rank_classes,
    score,
)

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


def test_the_temperature_undoes_what_was_multiplied() -> None:
    logits = 2 * np.random.default_rng(1).normal(size=(20_000, 10))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn = np.random.default_rng(2).random((20_000, 1)) > chances.cumsum(axis=1)
    labels = drawn.sum(axis=1).clip(max=9)
    assert find_temperature(3 * logits, labels) == pytest.approx(3, rel=0.05)
    assert find_temperature(logits / 3, labels) == pytest.approx(1 / 3, rel=0.05)
    assert find_temperature(logits[:0], labels[:0]) is None
    assert find_temperature(np.full((2, 10), np.inf), labels[:2]) is None


def test_a_row_of_the_calibration_is_images_confidence_accuracy() -> None:
    logits = np.log(np.array([[0.9, 0.1]] * 4))
    rows = score(logits, np.array([0, 0, 1, 1])).calibration
    assert [row for row in rows if row[0]] == [(4, pytest.approx(0.9), 0.5)]


def test_calibration_counts_every_image_once() -> None:
    rows = score(LOGITS, LABELS).calibration
    assert sum(images for images, _, _ in rows) == len(LABELS)
    assert len(rows) == CALIBRATION_BINS


# Few values, so that most rows have equal ones; and what is no number, or infinite.
ROWS = st.lists(
    st.sampled_from([0.0, 0.0, 1.0, 2.0, -1.0, np.inf, -np.inf, np.nan]), min_size=1, max_size=6
)


@given(ROWS)
def test_a_list_of_classes_begins_with_the_predicted_one_and_keeps_the_order_of_equals(
    row: list[float],
) -> None:
    order = rank_classes(np.array(row)).tolist()
    assert order[0] == classify(np.array([row]))[0]
    above = sorted(range(len(row)), key=lambda k: (not np.isnan(row[k]), -np.nan_to_num(row[k])))
    assert order == above  # Python's sorting is stable


def test_ties_are_counted_and_scored_by_every_rule() -> None:
    rng = np.random.default_rng(3)
    logits, labels = rng.integers(0, 3, (60, 4)).astype(np.float32), rng.integers(0, 4, 60)
    logits[0] = np.nan
    choices = [[k for k in range(4) if row[k] == row.max()] or [0] for row in logits]
    found = find_ties(logits, labels)
    assert found.images == sum(len(of_row) > 1 for of_row in choices) > 20
    assert score(logits, labels).accuracy == np.mean([c[0] for c in choices] == labels)
    assert found.accuracy_by_last == pytest.approx(np.mean([c[-1] for c in choices] == labels))
    drawn = [[rng.choice(c) for c in choices] for _ in range(3000)]
    assert found.accuracy_by_chance == pytest.approx(np.mean(drawn == labels), abs=0.005)


def test_without_ties_every_rule_gives_the_score() -> None:
    found, accuracy = find_ties(LOGITS, LABELS), score(LOGITS, LABELS).accuracy
    assert (found.images, found.accuracy_by_chance, found.accuracy_by_last) == (
        0,
        pytest.approx(accuracy),
        pytest.approx(accuracy),
    )
