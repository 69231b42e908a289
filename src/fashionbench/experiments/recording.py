"""Finished runs to their records: scored, with weights beside them, examined once more.

A trial of tuning keeps no weights.
"""

import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fashionbench.config.study import Job
from fashionbench.core.machine import describe_environment, now
from fashionbench.data.picture_facts import PictureFacts, picture_facts
from fashionbench.data.split import Dataset, Split
from fashionbench.experiments.gate import Examination, examine_trained
from fashionbench.experiments.whole import why_unloadable
from fashionbench.models.checkpoint import (
    checkpoint_path,
    forget_answers,
    mark_unloadable,
    save_model,
)
from fashionbench.models.cost import count_parameters
from fashionbench.models.facts import ModelFacts
from fashionbench.models.table import model_entry
from fashionbench.stats.metrics import classify, find_ties, image_losses, score
from fashionbench.store.records import Outcome, RunRecord
from fashionbench.training.devices import describe_device
from fashionbench.training.evaluation import accuracy_one_by_one, calibrate, compute_logits
from fashionbench.training.history import History

__all__ = ["Answers", "FinishedRun", "add_remarks", "record_run", "show_images"]


@dataclass(frozen=True)
class Answers:
    """What a trained model answers: all of a record that the device has to compute."""

    logits: NDArray[np.float32]
    """(N, K) for the images that the run is scored on."""
    labels: NDArray[Any]
    """(N,) of the same."""
    seconds: float
    temperature: float | None


def show_images(job: Job, model: nn.Module, scored: Split, dataset: Dataset) -> Answers:
    """Show a trained model the images it is scored on, once and for all."""
    start = time.perf_counter()
    logits = compute_logits(model, scored.images, job.recipe.test_views)
    seconds = time.perf_counter() - start
    is_final = job.scored_on == "test"
    temperature = calibrate(model, dataset.train, job.recipe) if is_final else None
    return Answers(logits, scored.labels.cpu().numpy(), seconds, temperature)


@dataclass(frozen=True)
class FinishedRun:
    """A run that is over, before it is recorded."""

    job: Job
    model: nn.Module
    history: History
    first_weights: str
    answers: Answers
    way: str
    """How it shared the machine."""


def record_run(
    run: FinishedRun, dataset: Dataset, examined: Examination, folder: Path
) -> RunRecord:
    """Score a run and write its weights: whoever finds a record finds its weights too.

    Those of a trial are of no further use.
    """
    record = _score(run, dataset, examined)
    if run.job.scored_on == "validation":
        return record
    facts = ModelFacts(
        job=run.job,
        label=record.label,
        classes=dataset.classes,
        parameters=record.parameters,
        test_accuracy=record.scores.accuracy,
        temperature=run.answers.temperature,
        pictures=_describe_pictures(dataset),
        environment=asdict(record.environment),
    )
    path = checkpoint_path(folder, run.job, record.device)
    images = None if "random" in record.remarks else dataset.test.images
    save_model(run.model, path, facts, images)
    return record


def _score(run: FinishedRun, dataset: Dataset, examined: Examination) -> RunRecord:
    """Turn a run into its record: what it cost, how it went, how good it is."""
    job, history, logits, labels = run.job, run.history, run.answers.logits, run.answers.labels
    device = next(run.model.parameters()).device
    predicted = classify(logits).astype("uint8")
    called = set(predicted.tolist())
    return RunRecord(
        job=job,
        label=model_entry(job.spec).label,
        device=device.type,
        outcome=_outcome(history, logits, called),
        epochs=history.epochs,
        parameters=count_parameters(run.model),
        flops_per_image=examined.flops,
        train_seconds=history.train_seconds,
        other_seconds={
            "warm_up": history.warm_up_seconds,
            "validation": history.validation_seconds,
            "test": run.answers.seconds,
        },
        curve=history.curve,
        validation_curve=history.validation_curve,
        scores=score(logits, labels),
        dead_classes=[k for k in range(len(dataset.classes)) if k not in called],
        environment=describe_environment(
            {name: sys.modules[name].__version__ for name in ("torch", "numpy", "fashionbench")},
            threads=torch.get_num_threads(),
            device=describe_device(device),
            way=run.way,
        ),
        recorded_at=now(),
        best_epoch=None if job.recipe.patience is None else history.best_epoch(job.recipe),
        predicted=predicted,
        losses=image_losses(logits, labels).astype("float32"),
        engine=history.engine,
        first_weights=run.first_weights,
        ties=find_ties(logits, labels),
        train_images=job.recipe.train_images or len(dataset.train) - job.recipe.validation_images,
        remarks=examined.remarks,
        dataset_notes=list(dataset.notes),
        spent_seconds=history.shared_seconds,
    )


@lru_cache(maxsize=1)
def _describe_pictures(dataset: Dataset) -> PictureFacts:
    """Sum up the training images once for all runs on them: they may lie on an accelerator."""
    return picture_facts(dataset.train.images.cpu().numpy(), dataset.levels)


def _outcome(history: History, logits: NDArray[np.float32], called: set[int]) -> Outcome:
    if history.diverged or not np.isfinite(logits).all():
        return "diverged"
    return "collapsed" if len(called) == 1 else "ok"


def add_remarks(run: FinishedRun, record: RunRecord, dataset: Dataset, folder: Path) -> RunRecord:
    """Examine a model that somebody else wrote once more, now that it is trained."""
    is_trial = run.job.scored_on == "validation"
    if is_trial or not model_entry(run.job.spec).is_own or record.outcome == "diverged":
        return record
    path = checkpoint_path(folder, run.job, record.device)
    remarks = record.remarks | examine_trained(run.model, dataset.test.images)
    if "random" in remarks:
        forget_answers(path)  # which no model could give again
    elif reason := why_unloadable(run.model, path, dataset.test.images):
        mark_unloadable(path, reason)
        remarks = remarks | {"not loadable": f"it cannot be loaded again: {reason}"}
    one_by_one = None
    if "batch" in remarks:
        one_by_one = accuracy_one_by_one(run.model, dataset.test)
    return replace(record, remarks=remarks, accuracy_one_by_one=one_by_one)
