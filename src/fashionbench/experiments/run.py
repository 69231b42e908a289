"""One job or several of a kind -> run records: build, train, look at the test set once, keep."""

import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fashionbench.config.study import Job
from fashionbench.core.logits import infer
from fashionbench.core.machine import describe_environment, now
from fashionbench.core.own_code import told
from fashionbench.core.snapshot import summary
from fashionbench.data.picture_facts import PictureFacts, picture_facts
from fashionbench.data.split import Dataset
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.experiments.gate import Examination, builder, examine, examine_trained
from fashionbench.experiments.whole import why_unloadable
from fashionbench.models.checkpoint import (
    checkpoint_path,
    forget_answers,
    mark_unloadable,
    save_model,
)
from fashionbench.models.cost import count_parameters
from fashionbench.models.facts import ModelFacts
from fashionbench.models.identity import identify
from fashionbench.models.table import model_entry
from fashionbench.stats.metrics import image_losses, score
from fashionbench.store.records import Outcome, RunRecord
from fashionbench.store.run_store import RunStore
from fashionbench.training.devices import describe_device
from fashionbench.training.evaluation import accuracy_one_by_one, calibrate
from fashionbench.training.history import History
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.group import Strategy
from fashionbench.training.many_seeds.members import fit_members
from fashionbench.training.own_augmentations import identify_augmentations

__all__ = ["explained", "run_job", "run_together"]


def run_job(
    job: Job,
    dataset: Dataset,
    device: torch.device,
    store: RunStore,
    examined: Examination | None = None,
    *,
    alone: bool = True,
) -> RunRecord:
    """One run from seed to record.

    `examined` is what was found out about the model, if that was done before. `alone` promises that
    the device is otherwise idle, so that the run has a training time.
    """
    examined = examined or examine(job, dataset)
    build = builder(job, dataset)
    _refuse_changed(job, len(dataset.classes))
    model = build(job.seed)
    start = _first_weights(job, model)
    description = f"{model_entry(job.spec).label} seed {job.seed}"
    with explained(job):
        trained = fit(
            model,
            dataset.train,
            job.recipe,
            job.seed,
            device=device,
            description=description,
            anew=partial(build, job.seed),
        )
    if not alone:
        trained.train_seconds = None
    way = "alone" if alone else "in one of several processes"
    run = _Run(job, model, trained, start, _test(job, model, dataset), way)
    record = _asked(run, _recorded(run, dataset, store.folder, examined), dataset, store.folder)
    store.save_run(record)
    return record


def run_together(
    jobs: Sequence[Job],
    dataset: Dataset,
    device: torch.device,
    store: RunStore,
    examined: Examination | None = None,
    *,
    strategy: Strategy = "stacked",
) -> list[RunRecord]:
    """Run jobs that differ by their seed alone, by one strategy; no record has a training time."""
    examined = examined or examine(jobs[0], dataset)
    build = builder(jobs[0], dataset)
    _refuse_changed(jobs[0], len(dataset.classes))
    models = [build(job.seed) for job in jobs]
    starts = [_first_weights(job, model) for job, model in zip(jobs, models, strict=True)]
    with explained(jobs[0]):
        trained = fit_members(
            models,
            dataset.train,
            jobs[0].recipe,
            [job.seed for job in jobs],
            device=device,
            strategy=strategy,
            description=f"{model_entry(jobs[0].spec).label}, {len(jobs)} seeds",
        )
    tested = [_test(job, model, dataset) for job, model in zip(jobs, models, strict=True)]
    way = f"{strategy} with {len(jobs)}"
    runs = list(map(_Run, jobs, models, trained, starts, tested, [way] * len(jobs)))
    record = partial(_recorded, dataset=dataset, folder=store.folder, examined=examined)
    # Scores and files of a hundred small models take longer than their training, on one thread.
    # Not so what torch computes, which is done by then: it has threads of its own.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        records = [
            _asked(run, found, dataset, store.folder)
            for run, found in zip(runs, pool.map(record, runs), strict=True)
        ]
        list(pool.map(store.save_run, records))
    return records


@contextmanager
def explained(job: Job) -> Iterator[None]:
    """What can go wrong with a model only in training, told in a sentence as a UsageError."""
    try:
        yield
    except FashionbenchError:
        raise
    except torch.OutOfMemoryError:
        raise UsageError(
            f"{job.model} does not fit into the device's memory with batches of "
            f"{job.recipe.batch_size}; give a smaller --batch-size."
        ) from None
    except Exception as error:  # whatever a person's own code may raise
        if "more than 1 value per channel" in str(error):  # of batch normalization
            raise UsageError(
                f"{job.model} normalizes over a batch, and an epoch ends with a batch of one "
                "image; give another --batch-size or --train-images."
            ) from None
        if "same device" in str(error):
            raise UsageError(
                f"{job.model} keeps a tensor that does not come along to the device "
                f"({told(error)}); make it a buffer by self.register_buffer."
            ) from None
        if not (job.model_source or job.recipe_source):
            raise
        raise UsageError(f"{job.model} cannot be trained: {told(error)}") from None


def _refuse_changed(job: Job, classes: int) -> None:
    """A run is known by the source it was planned with; another's is not kept under its name.

    Asked before a model is built, which may change what it reads.
    """
    for name, is_changed in (
        (job.model, str(identify(job.spec, classes)[1]) != job.model_source),
        ("the augmentation", identify_augmentations(job.recipe.augmentation) != job.recipe_source),
    ):
        if is_changed:
            raise UsageError(
                f"The source of {name}, or what it reads, has changed since the comparison began; "
                "finished runs are kept. Give the command again to train with the new one. If "
                "nothing was edited, it is another each time that its file is run: let a seed fix "
                "what it draws there."
            )


def _first_weights(job: Job, model: nn.Module) -> str:
    """A digest that seeds which begin alike share; "" for a model of the table, where none do."""
    if not model_entry(job.spec).is_own:
        return ""
    tensors = [summary(tensor) for tensor in model.state_dict().values()]
    return hashlib.sha256(repr(tensors).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Test:
    """What a trained model answers: all of a record that the device has to compute."""

    logits: NDArray[np.float32]
    """(N, K) for the test images."""
    seconds: float
    temperature: float | None


def _test(job: Job, model: nn.Module, dataset: Dataset) -> _Test:
    start = time.perf_counter()
    logits = infer(model, dataset.test.images, job.recipe.test_views)
    seconds = time.perf_counter() - start
    return _Test(logits, seconds, calibrate(model, dataset.train, job.recipe))


@dataclass(frozen=True)
class _Run:
    """A run that is over, before it is recorded."""

    job: Job
    model: nn.Module
    trained: History
    first_weights: str
    test: _Test
    way: str
    """How it shared the machine."""


def _recorded(run: _Run, dataset: Dataset, folder: Path, examined: Examination) -> RunRecord:
    """Score a run and write its weights: whoever finds a record finds its weights too."""
    job, model, trained = run.job, run.model, run.trained
    label = model_entry(job.spec).label
    device = next(model.parameters()).device
    logits, labels = run.test.logits, dataset.test.labels.cpu().numpy()
    predicted = logits.argmax(axis=1).astype("uint8")
    called = set(predicted.tolist())
    record = RunRecord(
        job=job,
        label=label,
        device=device.type,
        outcome=_outcome(trained, logits, called),
        epochs=trained.epochs,
        parameters=count_parameters(model),
        flops_per_image=examined.flops,
        train_seconds=trained.train_seconds,
        other_seconds={
            "warm_up": trained.warm_up_seconds,
            "validation": trained.validation_seconds,
            "test": run.test.seconds,
        },
        curve=trained.curve,
        validation_curve=trained.validation_curve,
        scores=score(logits, labels),
        dead_classes=[k for k in range(len(dataset.classes)) if k not in called],
        environment=describe_environment(
            {name: sys.modules[name].__version__ for name in ("torch", "numpy", "fashionbench")},
            threads=torch.get_num_threads(),
            device=describe_device(device),
            way=run.way,
        ),
        recorded_at=now(),
        best_epoch=None if job.recipe.patience is None else trained.best_epoch(job.recipe),
        predicted=predicted,
        losses=image_losses(logits, labels).astype("float32"),
        first_weights=run.first_weights,
        remarks=examined.remarks,
        dataset_notes=list(dataset.notes),
    )
    facts = ModelFacts(
        job=job,
        label=label,
        classes=dataset.classes,
        parameters=record.parameters,
        test_accuracy=record.scores.accuracy,
        temperature=run.test.temperature,
        pictures=_pictures(dataset),
        environment=asdict(record.environment),
    )
    path = checkpoint_path(folder, job, device.type)
    images = None if "random" in record.remarks else dataset.test.images
    save_model(model, path, facts, images)
    return record


@lru_cache(maxsize=1)
def _pictures(dataset: Dataset) -> PictureFacts:
    """Sum up the training images once for all runs on them: they may lie on an accelerator."""
    return picture_facts(dataset.train.images.cpu().numpy(), dataset.levels)


def _outcome(trained: History, logits: NDArray[np.float32], called: set[int]) -> Outcome:
    if trained.diverged or not np.isfinite(logits).all():
        return "diverged"
    return "collapsed" if len(called) == 1 else "ok"


def _asked(run: _Run, record: RunRecord, dataset: Dataset, folder: Path) -> RunRecord:
    """Ask of a model that somebody else wrote what must hold of it, now that it is trained."""
    if not model_entry(run.job.spec).is_own or record.outcome == "diverged":
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
