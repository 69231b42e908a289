"""The official split against splits dealt anew, its parts against each other, its file's order."""

import numpy as np
import pytest
import torch

from fashionbench.data.split import Dataset
from fashionbench.experiments.audit import split_luck
from fashionbench.experiments.audit.dealt import Dealt
from fashionbench.experiments.audit.findings import Pooled
from fashionbench.experiments.audit.folds import Judgement
from fashionbench.experiments.audit.labels import Judge
from fashionbench.experiments.audit.split_luck import (
    compare_judge,
    find_positions,
    place_dealt,
    place_neighbours,
)
from fashionbench.experiments.planning import plan


def pooled_of(labels: np.ndarray, train: int) -> Pooled:
    return Pooled(labels, train, tuple(map(str, range(int(labels.max()) + 1))), {})


def make_judge(rng: np.random.Generator, labels: np.ndarray, train: int, skill: float) -> Judge:
    """One seed, two folds; right as often as `skill` makes it."""
    logits = (rng.normal(size=(3, len(labels), 3)) + skill * np.eye(3)[labels]).astype(np.float32)
    (job,) = next(plan("linear", "judge", 1, dataset="silhouettes").entries())
    return Judge([job], Judgement(logits[:1, :train], logits[1:, None, train:]))


def test_a_judge_is_compared_over_images_and_by_class() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 500)
    judge = make_judge(rng, labels, 400, skill=1.5)
    found = compare_judge(judge, pooled_of(labels, 400))
    train = judge.judgement.train[0].argmax(axis=1) == labels[:400]
    test = (judge.judgement.test[:, 0].argmax(axis=2) == labels[400:]).mean(axis=0)
    assert found.accuracy.train == pytest.approx(train.mean())
    assert found.accuracy.test == pytest.approx(test.mean())
    assert found.accuracy.low < found.accuracy.difference < found.accuracy.high
    assert found.classes[1].accuracy.train == pytest.approx(train[labels[:400] == 1].mean())
    probabilities = torch.from_numpy(judge.judgement.train[0]).double().log_softmax(dim=1).numpy()
    expected = -probabilities[np.arange(400), labels[:400]].mean()
    assert found.loss.train == pytest.approx(expected)


def test_the_official_split_is_placed_by_its_nearest_neighbours(
    silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_luck, "DEALS", 50)
    images = torch.cat([silhouettes.train.images[:400], silhouettes.test.images[:100]])
    labels = torch.cat([silhouettes.train.labels[:400], silhouettes.test.labels[:100]]).numpy()
    (accuracy, distance), _ = place_neighbours(images, pooled_of(labels, 400))
    flat = images.flatten(1).double()
    apart = torch.cdist(flat[400:], flat[:400])
    assert distance.official == pytest.approx(float(apart.min(dim=1).values.mean()), rel=1e-6)
    nearest = apart.argmin(dim=1).numpy()
    assert accuracy.official == (labels[nearest] == labels[400:]).mean()
    assert accuracy.deals == 50
    assert accuracy.low <= accuracy.mean <= accuracy.high
    # Which was dealt by chance: it lies among them.
    assert abs(accuracy.official - accuracy.mean) < 4 * accuracy.sd


def test_the_runs_on_deals_are_placed_by_their_accuracy() -> None:
    found = place_dealt("lenet", Dealt(np.array([0.5, 0.7]), np.array([0.55, 0.65])))
    assert (found.official, found.share_below, found.deals) == (pytest.approx(0.6), 0.5, 2)
    assert found.what == "accuracy of lenet"


def test_a_sorted_file_is_noticed_and_a_mixed_one_is_not(silhouettes: Dataset) -> None:
    rng = np.random.default_rng(0)
    mixed = rng.integers(0, 3, 600)
    for labels, is_sorted in ((mixed, False), (np.sort(mixed), True)):
        pooled = pooled_of(np.append(labels, [0, 1, 2]), 600)
        images = rng.integers(0, 256, (603, 28, 28), np.uint8)
        _, neighbours = place_neighbours(torch.from_numpy(images), pooled)
        tests = find_positions(pooled, neighbours, [make_judge(rng, pooled.labels, 600, 1.0)])
        assert [test.split for test in tests] == ["train"] * 3  # of three test images none is made
        assert (tests[0].p_value < 1e-9) == is_sorted
        assert len(tests[2].tenths) == 10
