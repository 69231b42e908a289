"""One job or several of a kind -> run records: build, train, look at the test set once, save.

A trial of tuning is scored on the validation images instead, and keeps no weights.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.config.study import Job, Study
from fashionbench.core.own_code import describe_error
from fashionbench.core.snapshot import summary
from fashionbench.data.datasets import load_data
from fashionbench.data.split import Dataset, Split, hold_out
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.experiments.gate import (
    Examination,
    builder,
    examine,
    refuse_changed,
)
from fashionbench.experiments.recording import FinishedRun, add_remarks, record_run, show_images
from fashionbench.models.table import model_entry
from fashionbench.store.records import RunRecord
from fashionbench.training.bf16 import warn_of_bf16
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
        answers = show_images(job, model, _scored_images(job, dataset), dataset)
    run = FinishedRun(job, model, history, start, answers, way)
    record = record_run(run, dataset, examined, store.folder)
    record = add_remarks(run, record, dataset, store.folder)
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
        answers = [show_images(*each, images, dataset) for each in zip(jobs, models, strict=True)]
    way = f"{strategy} with {len(jobs)}"
    runs = list(map(FinishedRun, jobs, models, histories, starts, answers, [way] * len(jobs)))
    record = partial(record_run, dataset=dataset, examined=examined, folder=store.folder)
    # Scores and files of a hundred small models take longer than their training, on one thread.
    # Not so what torch computes, which is done by then: it has threads of its own.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        records = [
            add_remarks(run, found, dataset, store.folder)
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


def _scored_images(job: Job, dataset: Dataset) -> Split:
    """Return the images that a job is scored on: of a trial of tuning never those of the test."""
    if job.scored_on == "test":
        return dataset.test
    return hold_out(dataset.train, job.recipe.validation_images, job.recipe.train_images)[1]
