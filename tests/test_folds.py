"""Folds: dealt evenly, judged by models that did not see them, kept where they are finished."""

from pathlib import Path

import numpy as np
import pytest
import torch
from factories import CPU

from fashionbench.data.split import Dataset, Split
from fashionbench.errors import UsageError
from fashionbench.experiments.audit import folds as module
from fashionbench.experiments.audit.folds import check_folds, deal_folds, judge
from fashionbench.experiments.audit.trainer import Trainer
from fashionbench.experiments.planning import plan
from fashionbench.training.evaluation import compute_logits

CLASSES = tuple("abc")


def some(silhouettes: Dataset, count: int) -> Dataset:
    return Dataset(
        "silhouettes",
        "few",
        silhouettes.classes,
        Split(silhouettes.train.images[:count], silhouettes.train.labels[:count]),
        Split(silhouettes.test.images[:40], silhouettes.test.labels[:40]),
    )


def jobs(model: str = "linear", seeds: int = 2):
    return next(plan(model, "judge", seeds, dataset="silhouettes", epochs=1).entries())


def test_each_class_is_dealt_evenly() -> None:
    labels = np.repeat([0, 1, 2], [31, 17, 8])
    found = deal_folds(labels, 5)
    for label in range(3):
        counts = np.bincount(found[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert np.ptp(np.bincount(found)) <= 1
    # By a hash, so not by the order in the file.
    assert (np.diff(found[labels == 0]) != 1).mean() > 0.5


def test_an_image_is_judged_by_models_that_did_not_see_it(
    silhouettes: Dataset, tmp_path: Path
) -> None:
    data = some(silhouettes, 300)
    found = judge(jobs(), data, 3, tmp_path, CPU)
    assert found.train.shape == (2, 300, 10)
    assert found.test.shape == (3, 2, 40, 10)
    rows = deal_folds(data.train.labels.numpy(), 3) == 1
    others = torch.from_numpy(~rows)
    training = Split(data.train.images[others], data.train.labels[others])
    for seed, model in enumerate(Trainer(jobs(), data, CPU).fit(training)):
        logits = compute_logits(model, data.train.images[torch.from_numpy(rows)])
        assert np.allclose(found.train[seed, rows], logits, atol=1e-4)
        of_test = compute_logits(model, data.test.images)
        assert np.allclose(found.test[1, seed], of_test, atol=1e-4)


def test_finished_folds_are_kept(
    silhouettes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, trained = some(silhouettes, 200), []
    original = module._judge_fold

    def stopped(*arguments):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(1)
        return original(*arguments)

    monkeypatch.setattr(module, "_judge_fold", stopped)
    with pytest.raises(KeyboardInterrupt):
        judge(jobs(), data, 3, tmp_path, CPU)
    assert len([*tmp_path.rglob("fold-*.npz")]) == 2
    trained[:] = [1]
    resumed = judge(jobs(), data, 3, tmp_path, CPU)
    assert len(trained) == 2
    monkeypatch.undo()
    whole = judge(jobs(), data, 3, tmp_path / "anew", CPU)
    assert (resumed.train == whole.train).all()
    assert (resumed.test == whole.test).all()
    # A file that was damaged is made again.
    damaged = next(tmp_path.glob("*/fold-1.npz"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert (judge(jobs(), data, 3, tmp_path, CPU).train == whole.train).all()
    # Other seeds, models or folds are others.
    judge(jobs(seeds=1), data, 3, tmp_path, CPU)
    assert len([*tmp_path.glob("*/fold-0.npz")]) == 2


@pytest.mark.parametrize(
    ("counts", "folds", "message"),
    [
        ([9, 4, 9], 5, "the smallest class, b, has 4 training images; give --folds 2 to 4, or 0"),
        ([9, 4, 9], 1, "folds is 1, but the smallest class, b"),
        ([9, 9, 1], 2, "The class c has one training image"),
    ],
)
def test_folds_that_cannot_be_dealt_are_refused(counts, folds: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_folds(np.repeat([0, 1, 2], counts), CLASSES, folds)
    check_folds(np.repeat([0, 1, 2], [9, 4, 9]), CLASSES, 4)
