"""One training run in a folder of its own: kept after every epoch, gone on with after a stop.

The folder gets the run's states (states.py), model.safetensors, which is the trained model, and
curve.csv. The test set is never looked at here.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fashionbench.config.recipe import Recipe
from fashionbench.config.study import Job
from fashionbench.core.files import make_folder, write_atomically
from fashionbench.core.machine import describe_environment
from fashionbench.data.picture_facts import picture_facts
from fashionbench.data.split import Dataset
from fashionbench.errors import Interrupted, UsageError
from fashionbench.experiments.gate import builder, examine, examine_trained
from fashionbench.experiments.run import fit_job, load_data_of
from fashionbench.experiments.states import StateWriter, load_state
from fashionbench.experiments.whole import why_unloadable
from fashionbench.models.checkpoint import mark_unloadable, save_model
from fashionbench.models.cost import count_parameters
from fashionbench.models.facts import ModelFacts
from fashionbench.models.table import model_entry
from fashionbench.training.devices import describe_device, resolve_device
from fashionbench.training.evaluation import calibrate
from fashionbench.training.history import History
from fashionbench.training.loop import TrainingState

__all__ = ["train_in_folder"]

logger = logging.getLogger(__name__)


def train_in_folder(
    job: Job,
    folder: Path,
    data_dir: Path | str | None = None,
    *,
    device: str = "auto",
    resume: bool = False,
    watch: Callable[[History], object] | None = None,
    command: str = "the same call with resume=True",
) -> dict[str, Any]:
    """Train the model of `job`, or go on where `folder` left off; return a summary.

    Where there is nothing to resume it says so and begins. `watch` is told of each epoch that is
    over and saved, `command` is what a person types to go on.
    Raises UsageError if `folder` holds another run or one that was not to be resumed, StoreError if
    it cannot be read or written, and Interrupted after Ctrl-C.
    """
    if job.recipe.epochs == 0:
        raise UsageError("epochs is 0, so there is nothing to train; compare scores such a model.")
    if (folder / "store.sqlite").exists():
        raise UsageError(f"{folder} holds the runs of a comparison; choose another --out.")
    on = resolve_device(device)
    state = load_state(job, folder, resume=resume)
    if resume and state is None:
        logger.warning(f"{folder} holds no run to resume; training starts from the first epoch.")
    dataset = load_data_of(job, data_dir)
    examined = examine(job, dataset)
    build = partial(builder(job, dataset), job.seed)
    model = build()
    for message in (*dataset.notes, *examined.sentences(model_entry(job.spec).label)):
        logger.warning(message)
    make_folder(folder)  # before anything is trained that could not be kept
    writer = StateWriter(job, folder, model, build, dataset.train)
    histories = [] if state is None else [History(**state["fit"])]

    def keep(reached: TrainingState) -> None:
        histories.append(writer.write(reached))
        if watch is not None:
            watch(histories[-1])

    try:
        history = fit_job(job, model, dataset, on, resume=state, keep=keep)
    except KeyboardInterrupt:
        finished = histories[-1].epochs if histories else 0
        go_on = "They cannot be gone on with." if writer.lost else f"To go on: {command}"
        raise Interrupted(
            f"Interrupted: {finished} of {job.recipe.epochs} epochs are finished and kept in "
            f"{folder}. {go_on}"
        ) from None
    _save(job, model, history, dataset, folder)
    return _summarize(job, history, folder, on)


def _save(job: Job, model: nn.Module, history: History, dataset: Dataset, folder: Path) -> None:
    """Write the trained model and its curve; say so where the file is not all of the model."""
    entry, images = model_entry(job.spec), dataset.train.images
    facts = ModelFacts(
        job=job,
        label=entry.label,
        classes=dataset.classes,
        parameters=count_parameters(model),
        validation_accuracy=_final_accuracy(history, job.recipe),
        temperature=calibrate(model, dataset.train, job.recipe),
        pictures=picture_facts(images.numpy(), dataset.levels),
        environment=asdict(
            describe_environment(
                {"torch": torch.__version__},
                threads=torch.get_num_threads(),
                device=describe_device(next(model.parameters()).device),
            )
        ),
    )
    path = folder / "model.safetensors"
    remarks = examine_trained(model, images) if entry.is_own and not history.diverged else {}
    save_model(model, path, facts, None if "random" in remarks else images)
    write_atomically(folder / "curve.csv", _format_csv(history).encode())
    if entry.is_own and (reason := why_unloadable(model, path, images)):
        mark_unloadable(path, reason)
        logger.warning(f"{entry.label} cannot be loaded again: {reason}")


def _summarize(job: Job, history: History, folder: Path, device: torch.device) -> dict[str, Any]:
    return {
        "model": job.model,
        "recipe": job.recipe.label,
        "seed": job.seed,
        "device": device.type,
        "epochs": history.epochs,
        "best_epoch": history.best_epoch(job.recipe),
        "diverged": history.diverged,
        "train_seconds": history.train_seconds,
        "training_loss": history.curve[-1][1],
        "validation_accuracy": _final_accuracy(history, job.recipe),
        "folder": str(folder),
    }


def _final_accuracy(history: History, recipe: Recipe) -> float | None:
    """Return the validation accuracy of the weights that the model is left with."""
    if not history.validation_curve:
        return None
    best = history.best_epoch(recipe) if recipe.patience is not None else None
    return history.validation_curve[(best or history.epochs) - 1][2]


def _format_csv(history: History) -> str:
    """Write the whole curve: the training loss 20 times an epoch, the validation at its end."""
    checks = {
        float(epoch): f"{loss},{accuracy}" for epoch, loss, accuracy in history.validation_curve
    }
    lines = [f"{at:.6g},{loss},{checks.get(at, ',')}" for at, loss in history.curve]
    return "\n".join(["epochs,training_loss,validation_loss,validation_accuracy", *lines, ""])
