"""Predictions out of fold: each training image is judged by models that never saw it.

The training images are dealt into folds, each class evenly. For each fold models are trained from
several seeds on all other folds; they judge the fold, and the test images. A fold that is done is
kept in a file, under a key of all that can change it: stopped and started again, it goes on.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from fashionbench.config.recipe import Views
from fashionbench.config.study import Job
from fashionbench.core.files import write_atomically
from fashionbench.core.progress import progress_bar
from fashionbench.data.split import Dataset, Split, hold_out_order
from fashionbench.errors import UsageError
from fashionbench.experiments.audit.trainer import Trainer
from fashionbench.training.evaluation import compute_logits

__all__ = ["Judgement", "check_folds", "deal_folds", "judge"]


@dataclass(frozen=True)
class Judgement:
    """What the models of one judge say of all images: S seeds, F folds, K classes."""

    train: NDArray[np.float32]
    """(S, N, K) logits of each training image, by models that did not see it."""
    test: NDArray[np.float32]
    """(F, S, M, K) logits of each test image, by all models."""


def check_folds(labels: NDArray[np.int64], classes: Sequence[str], folds: int) -> None:
    """Refuse more folds than the smallest class has images, or fewer than two."""
    counts = np.bincount(labels, minlength=len(classes))
    least, smallest = int(counts.min()), classes[int(counts.argmin())]
    if least < 2:
        raise UsageError(
            f"The class {smallest} has one training image, which cannot be judged by models that "
            "learned from others; add images, or give --folds 0 to find doubles alone."
        )
    if not 2 <= folds <= least:
        allowed = f"2 to {least}" if least > 2 else "2"
        raise UsageError(
            f"folds is {folds}, but the smallest class, {smallest}, has {least} training images; "
            f"give --folds {allowed}, or 0 to find doubles alone."
        )


def deal_folds(labels: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Return (N,) the fold of each image: each class is dealt evenly, by a hash of positions."""
    found = np.empty(len(labels), np.int64)
    order = hold_out_order(labels)
    dealt = 0
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        # Where the class before stopped, so that folds are equally large too.
        found[rows] = (dealt + np.arange(len(rows))) % folds
        dealt += len(rows)
    return found


def judge(
    jobs: Sequence[Job], data: Dataset, folds: int, folder: Path, device: torch.device
) -> Judgement:
    """Train the models of `jobs`, which differ by their seed alone, on all folds but one in turn.

    Folds that `folder` holds are not trained again.
    """
    labels = data.train.labels.numpy()
    of_fold = deal_folds(labels, folds)
    kept = folder / _key(jobs, folds)
    trainer, views = Trainer(jobs, data, device), jobs[0].recipe.test_views
    train = np.empty((len(jobs), len(labels), len(data.classes)), np.float32)
    test = []
    with progress_bar(total=folds, desc=f"folds of {jobs[0].model}", unit="fold") as bar:
        for fold in range(folds):
            rows = np.flatnonzero(of_fold == fold)
            path = kept / f"fold-{fold}.npz"
            found = _load(path)
            if found is None:
                found = _judge_fold(trainer, data, rows, views, device)
                _save(path, *found)
            train[:, rows] = found[0]
            test.append(found[1])
            bar.update()
    return Judgement(train, np.stack(test))


def _key(jobs: Sequence[Job], folds: int) -> str:
    text = " ".join([*(job.key for job in jobs), str(folds)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _judge_fold(
    trainer: Trainer, data: Dataset, rows: NDArray[np.int64], views: Views, device: torch.device
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (S, n, K) logits of the fold's images and (S, M, K) of the test images."""
    left = torch.from_numpy(np.setdiff1d(np.arange(len(data.train)), rows))
    others = Split(data.train.images[left], data.train.labels[left]).to(device)
    models = trainer.fit(others)
    fold = data.train.images[torch.from_numpy(rows)]
    return (
        np.stack([compute_logits(model, fold, views) for model in models]),
        np.stack([compute_logits(model, data.test.images, views) for model in models]),
    )


def _load(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Read a fold that is done; None where there is no file, or a damaged one."""
    try:
        with np.load(io.BytesIO(path.read_bytes())) as kept:
            return kept["fold"], kept["test"]
    except (OSError, EOFError, KeyError, ValueError, BadZipFile):
        return None


def _save(path: Path, fold: NDArray[np.float32], test: NDArray[np.float32]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, fold=fold, test=test)
    write_atomically(path, buffer.getvalue())
