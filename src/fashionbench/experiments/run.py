"""One job or several of a kind -> run records: build, train, look at the test set once, keep.

A trial of tuning is scored on the validation images instead, and keeps no weights.
"""

import hashlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.config.study import Job, Study
from fashionbench.core.machine import describe_environment, now
from fashionbench.core.own_code import describe_error
from fashionbench.core.snapshot import summary
from fashionbench.data.datasets import load_data
from fashionbench.data.picture_facts import PictureFacts, picture_facts
from fashionbench.data.split import Dataset, Split, hold_out
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.experiments.gate import (
    Examination,
    builder,
    examine,
    examine_trained,
    refuse_changed,
)
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
from fashionbench.training.bf16 import warn_of_bf16
from fashionbench.training.devices import describe_device
from fashionbench.training.evaluation import accuracy_one_by_one, calibrate, compute_logits
from fashionbench.training.history import History
from fashionbench.training.loop import TrainingState, fit
from fashionbench.training.many_seeds.group import Strategy
from fashionbench.training.many_seeds.members import fit_members
from fashionbench.training.own_settings import differ

__all__ = ["Destination", "fit_job", "load_data_of", "run_job", "run_together"]


class Destination(Protocol):
    """Where finished runs go: the store of a run folder, or what is on its way there."""

    folder: Path
    """Weights are written below it, before their run is saved."""

    def save_run(self, record: RunRecord) -> None:
        """Save one finished run."""


logger = logging.getLogger(__name__)


def load_data_of(asked: Job | Study, data_dir: Path | str | None) -> Dataset:
    """Read the data set that a job or study names, as it is shown to networks there.

    Raises DataError for one that cannot be read, or whose content is another by now.
    """
    return load_data(
        asked.dataset,
        data_dir,
        channels=asked.channels,
        size=asked.size,
        source=asked.dataset_source,
    )


def run_job(
    job: Job,
    dataset: Dataset,
    device: torch.device,
    store: Destination,
    examined: Examination | None = None,
    *,
    alone: bool = True,
) -> RunRecord:
    """Train, test and record one run; its weights are written before its record.

    `examined` is what was found out about the model, if that was done before. `alone` promises that
    the device is otherwise idle, so that the run has a training time.

    Raises UsageError for a job that cannot be trained, or whose source is no longer what it was
    planned with: of a file that was edited nothing is run.
    """
    refuse_changed(job, len(dataset.classes))
    examined = examined or examine(job, dataset)
    model = builder(job, dataset)(job.run_seed)
    start = _digest_first_weights(job, model)
    if alone:
        _warn_of_bf16(job, model, dataset, device)
    history = fit_job(job, model, dataset, device)
    history.shared_seconds = history.train_seconds or 0
    if not alone or job.recipe.epochs == 0:
        history.train_seconds = None
    way = "alone" if alone else "in one of several processes"
    with _explain_failures(job):
        test = _test(job, model, _scored_images(job, dataset), dataset)
    run = _Run(job, model, history, start, test, way)
    record = _record(run, dataset, examined, store.folder)
    record = _add_remarks(run, record, dataset, store.folder)
    store.save_run(record)
    return record


def run_together(
    jobs: Sequence[Job],
    dataset: Dataset,
    device: torch.device,
    store: Destination,
    examined: Examination | None = None,
    *,
    strategy: Strategy = "stacked",
) -> list[RunRecord]:
    """Run jobs of one model by one strategy; no record has a training time.

    Their recipes differ in OWN_SETTINGS at most, and all are scored on the same images.
    """
    refuse_changed(jobs[0], len(dataset.classes))
    examined = examined or examine(jobs[0], dataset)
    recipes = [job.recipe for job in jobs]
    if differ(recipes) and recipes[0].optimizer not in OPTIMIZERS:
        # What a person's own makes of members with settings of their own, nobody knows.
        return [run_job(job, dataset, device, store, examined, alone=False) for job in jobs]
    build = builder(jobs[0], dataset)
    models = [build(job.run_seed) for job in jobs]
    starts = [_digest_first_weights(job, model) for job, model in zip(jobs, models, strict=True)]
    with _explain_failures(jobs[0]):
        histories = fit_members(
            models,
            dataset.train,
            recipes,
            [job.run_seed for job in jobs],
            device=device,
            strategy=strategy,
            description=f"{model_entry(jobs[0].spec).label}, {len(jobs)} runs",
        )
        images = _scored_images(jobs[0], dataset)
        tested = [_test(*each, images, dataset) for each in zip(jobs, models, strict=True)]
    way = f"{strategy} with {len(jobs)}"
    runs = list(map(_Run, jobs, models, histories, starts, tested, [way] * len(jobs)))
    record = partial(_record, dataset=dataset, examined=examined, folder=store.folder)
    # Scores and files of a hundred small models take longer than their training, on one thread.
    # Not so what torch computes, which is done by then: it has threads of its own.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        records = [
            _add_remarks(run, found, dataset, store.folder)
            for run, found in zip(runs, pool.map(record, runs), strict=True)
        ]
        list(pool.map(store.save_run, records))
    return records


def fit_job(
    job: Job,
    model: nn.Module,
    dataset: Dataset,
    device: torch.device,
    *,
    resume: TrainingState | None = None,
    keep: Callable[[TrainingState], None] = lambda state: None,
) -> History:
    """Train the model of a job as its recipe and seed say; `resume` and `keep` are those of `fit`.

    Raises UsageError for what goes wrong with a model only in training.
    """
    with _explain_failures(job):
        return fit(
            model,
            dataset.train,
            job.recipe,
            job.run_seed,
            device=device,
            description=f"{model_entry(job.spec).label} seed {job.seed}",
            resume=resume,
            keep=keep,
            anew=partial(builder(job, dataset), job.run_seed),
        )


_warned: set[str] = set()
"""The models that the price of bf16 was told of, with their recipes."""


def _warn_of_bf16(job: Job, model: nn.Module, dataset: Dataset, device: torch.device) -> None:
    """Log what bf16 costs on this processor, once for all seeds."""
    which = f"{job.model} {job.recipe.unnamed}"
    if device.type != "cpu" or which in _warned:
        return
    _warned.add(which)
    with _explain_failures(job):
        warning = warn_of_bf16(model, dataset.train, job.recipe)
    if warning is not None:
        logger.warning("%s: %s", model_entry(job.spec).label, warning)


@contextmanager
def _explain_failures(job: Job) -> Iterator[None]:
    """Turn what can go wrong with a model only in training into a UsageError of one sentence."""
    try:
        yield
    except FashionbenchError:
        raise
    except torch.OutOfMemoryError:
        raise UsageError(
            f"{job.model} does not fit into the device's memory with batches of "
            f"{job.recipe.batch_size}; give a smaller --batch-size."
        ) from None
    except (Exception, SystemExit) as error:  # whatever a person's own code may raise
        if "more than 1 value per channel" in str(error):  # of batch normalization
            raise UsageError(
                f"{job.model} normalizes over a batch, and an epoch ends with a batch of one "
                "image; give another --batch-size or --train-images."
            ) from None
        if "same device" in str(error):
            raise UsageError(
                f"{job.model} keeps a tensor that does not come along to the device "
                f"({describe_error(error)}); make it a buffer by self.register_buffer."
            ) from None
        if not (job.model_source or job.recipe_source):
            raise
        raise UsageError(f"{job.model} cannot be trained: {describe_error(error)}") from None


def _digest_first_weights(job: Job, model: nn.Module) -> str:
    """Digest what seeds that begin alike share; "" for a model of the table, where none do."""
    if not model_entry(job.spec).is_own:
        return ""
    tensors = [summary(tensor) for tensor in model.state_dict().values()]
    return hashlib.sha256(repr(tensors).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Test:
    """What a trained model answers: all of a record that the device has to compute."""

    logits: NDArray[np.float32]
    """(N, K) for the images that the run is scored on."""
    labels: NDArray[Any]
    """(N,) of the same."""
    seconds: float
    temperature: float | None


def _scored_images(job: Job, dataset: Dataset) -> Split:
    """Return the images that a job is scored on: of a trial of tuning never those of the test."""
    if job.scored_on == "test":
        return dataset.test
    return hold_out(dataset.train, job.recipe.validation_images, job.recipe.train_images)[1]


def _test(job: Job, model: nn.Module, scored: Split, dataset: Dataset) -> _Test:
    """Show a trained model the images it is scored on, once and for all."""
    start = time.perf_counter()
    logits = compute_logits(model, scored.images, job.recipe.test_views)
    seconds = time.perf_counter() - start
    is_final = job.scored_on == "test"
    temperature = calibrate(model, dataset.train, job.recipe) if is_final else None
    return _Test(logits, scored.labels.cpu().numpy(), seconds, temperature)


@dataclass(frozen=True)
class _Run:
    """A run that is over, before it is recorded."""

    job: Job
    model: nn.Module
    history: History
    first_weights: str
    test: _Test
    way: str
    """How it shared the machine."""


def _record(run: _Run, dataset: Dataset, examined: Examination, folder: Path) -> RunRecord:
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
        temperature=run.test.temperature,
        pictures=_describe_pictures(dataset),
        environment=asdict(record.environment),
    )
    path = checkpoint_path(folder, run.job, record.device)
    images = None if "random" in record.remarks else dataset.test.images
    save_model(run.model, path, facts, images)
    return record


def _score(run: _Run, dataset: Dataset, examined: Examination) -> RunRecord:
    """Turn a run into its record: what it cost, how it went, how good it is."""
    job, history, logits, labels = run.job, run.history, run.test.logits, run.test.labels
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
            "test": run.test.seconds,
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


def _add_remarks(run: _Run, record: RunRecord, dataset: Dataset, folder: Path) -> RunRecord:
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
