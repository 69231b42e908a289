"""One training run in a folder of its own: kept after every epoch, gone on with after a stop.

last.pt and best.pt hold all that it takes to go on (weights, optimizer, running mean, curve;
whatever is random follows from the seed and the epoch) and load under weights_only=True;
model.safetensors is the trained model. The test set is never looked at here.
"""

import io
import logging
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from fashionbench.config.recipe import SETTINGS, Recipe, written
from fashionbench.config.study import Job
from fashionbench.core.files import write_atomically
from fashionbench.core.global_state import silent
from fashionbench.core.logits import pixels
from fashionbench.core.machine import describe_environment
from fashionbench.core.snapshot import plain_state
from fashionbench.data.datasets import load_data
from fashionbench.data.picture_facts import picture_facts
from fashionbench.data.split import Split
from fashionbench.errors import Interrupted, StoreError, UsageError
from fashionbench.experiments.gate import builder, examine, examine_trained
from fashionbench.experiments.run import explained
from fashionbench.experiments.tensorboard import TensorBoard
from fashionbench.experiments.whole import lost_by_a_stop, why_unloadable
from fashionbench.models.build import build_model
from fashionbench.models.checkpoint import mark_unloadable, save_model
from fashionbench.models.cost import count_parameters
from fashionbench.models.facts import ModelFacts
from fashionbench.models.table import model_entry
from fashionbench.training.devices import describe_device, resolve_device
from fashionbench.training.evaluation import calibrate
from fashionbench.training.history import History
from fashionbench.training.layout import FEW
from fashionbench.training.loop import TrainingState, fit

__all__ = ["train_in_folder"]

logger = logging.getLogger(__name__)


def train_in_folder(
    job: Job,
    folder: Path,
    data_dir: Path | str | None = None,
    *,
    device: str = "auto",
    resume: bool = False,
    track: str | None = None,
    command: str = "the same call with resume=True",
) -> dict[str, Any]:
    """Train the model of `job`, or go on where `folder` left off; sums up what came of it.

    `command` is what a person types to go on, `track` may be "tensorboard". Raises UsageError if
    `folder` holds another run or one that was not to be resumed, StoreError if it cannot be read
    or written, and Interrupted after Ctrl-C.
    """
    if track not in (None, "tensorboard"):
        raise UsageError(f"A run cannot be tracked by {track!r}; there is tensorboard.")
    if (folder / "store.sqlite").exists():
        raise UsageError(f"{folder} holds the runs of a comparison; choose another --out.")
    on = resolve_device(device)
    state = _load_state(job, folder, resume)
    dataset = load_data(job.dataset, data_dir, source=job.dataset_source)
    classes, images = len(dataset.classes), dataset.train.images
    examined = examine(job, dataset)
    model = build_model(job.model, job.seed, classes, logger.warning, images=images)
    label = model_entry(job.spec).label
    for note in dataset.notes:
        logger.warning(note)
    for remark in examined.remarks.values():
        logger.warning(f"{label}: {remark}")
    watch = TensorBoard(folder / "tensorboard", job.recipe) if track else None
    anew = partial(builder(job, dataset), job.seed)
    keeper = _Keeper(job, folder, model, anew, dataset.train, watch)
    try:
        with explained(job):
            trained = fit(
                model,
                dataset.train,
                job.recipe,
                job.seed,
                device=on,
                description=f"{label} seed {job.seed}",
                resume=state,
                keep=keeper.keep,
                anew=anew,
            )
    except KeyboardInterrupt:
        finished = keeper.finished or (0 if state is None else state["fit"]["epochs"])
        go_on = "They cannot be gone on with." if keeper.lost else f"To go on: {command}"
        raise Interrupted(
            f"Interrupted: {finished} of {job.recipe.epochs} epochs are finished and kept in "
            f"{folder}. {go_on}"
        ) from None
    facts = ModelFacts(
        job=job,
        label=label,
        classes=dataset.classes,
        parameters=count_parameters(model),
        validation_accuracy=_kept_accuracy(trained, job.recipe),
        temperature=calibrate(model, dataset.train, job.recipe),
        pictures=picture_facts(images.numpy(), dataset.levels),
        environment=asdict(
            describe_environment(
                {"torch": torch.__version__},
                threads=torch.get_num_threads(),
                device=describe_device(on),
            )
        ),
    )
    path = folder / "model.safetensors"
    is_own = model_entry(job.spec).is_own
    remarks = examine_trained(model, images) if is_own and not trained.diverged else {}
    save_model(model, path, facts, None if "random" in remarks else images)
    write_atomically(folder / "curve.csv", _csv(trained).encode())
    if is_own and (reason := why_unloadable(model, path, images)):
        mark_unloadable(path, reason)
        logger.warning(f"{label} cannot be loaded again: {reason}")
    return _summary(job, trained, folder, on)


class _Keeper:
    """Writes all that it takes to go on after each epoch."""

    def __init__(
        self,
        job: Job,
        folder: Path,
        model: nn.Module,
        anew: Callable[[], nn.Module],
        data: Split,
        watch: TensorBoard | None,
    ) -> None:
        self.job, self.folder, self.model, self.data, self.watch = job, folder, model, data, watch
        self.finished = 0
        """Epochs."""
        self.lost: list[str] = []
        self._before: dict[str, str] | None = None
        self._counters: set[str] = set()
        if model_entry(job.spec).is_own:
            self._before = plain_state(model)
            with silent():
                anew()
            after = plain_state(model)
            self._counters = {name for name in after if after[name] != self._before.get(name)}

    def keep(self, state: TrainingState) -> None:
        """Write the state that an epoch ended with."""
        if self._before is not None and not self.lost:
            images = pixels(self.data.images[:FEW].to(next(self.model.parameters()).device))
            self.lost = lost_by_a_stop(self.model, self._before, images, self._counters)
            if self.lost:
                logger.warning(
                    f"This run cannot be resumed after a stop, since {_why_lost(self.lost)}"
                )
        buffer = io.BytesIO()
        torch.save({"job": self.job.model_dump(), "lost": self.lost, **state}, buffer)
        write_atomically(self.folder / "last.pt", buffer.getvalue())
        so_far = History(**state["fit"])
        if so_far.best_epoch(self.job.recipe) == so_far.epochs:
            write_atomically(self.folder / "best.pt", buffer.getvalue())
        self.finished = so_far.epochs
        if self.watch is not None:
            self.watch(so_far)


def _why_lost(names: list[str]) -> str:
    return (
        f"training changes {', '.join(names[:3])}, which is neither a parameter nor a buffer that "
        "is saved; keep what it holds in a buffer (self.register_buffer)."
    )


def _summary(job: Job, trained: History, folder: Path, device: torch.device) -> dict[str, Any]:
    return {
        "model": job.model,
        "recipe": job.recipe.label,
        "seed": job.seed,
        "device": device.type,
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch(job.recipe),
        "diverged": trained.diverged,
        "train_seconds": trained.train_seconds,
        "training_loss": trained.curve[-1][1],
        "validation_accuracy": _kept_accuracy(trained, job.recipe),
        "folder": str(folder),
    }


def _kept_accuracy(trained: History, recipe: Recipe) -> float | None:
    """On the validation images, of the weights that the model is left with."""
    if not trained.validation_curve:
        return None
    best = trained.best_epoch(recipe) if recipe.patience is not None else None
    return trained.validation_curve[(best or trained.epochs) - 1][2]


def _csv(trained: History) -> str:
    """The whole curve: the training loss 20 times an epoch, the validation at its end."""
    checks = {
        float(epoch): f"{loss},{accuracy}" for epoch, loss, accuracy in trained.validation_curve
    }
    lines = [f"{at:.6g},{loss},{checks.get(at, ',')}" for at, loss in trained.curve]
    return "\n".join(["epochs,training_loss,validation_loss,validation_accuracy", *lines, ""])


def _load_state(job: Job, folder: Path, resume: bool) -> TrainingState | None:
    path = folder / "last.pt"
    if not path.exists():
        return None
    if not resume:
        raise UsageError(
            f"{folder} holds a training run already; go on with --resume, or choose another --out."
        )
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        before = Job.model_validate(state.pop("job"))
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}).") from None
    except (
        RuntimeError,
        ValueError,
        KeyError,
        EOFError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ):
        other = "move best.pt to its place, or " if (folder / "best.pt").exists() else ""
        raise StoreError(f"{path} is damaged; {other}start anew in another --out.") from None
    if before.key != job.key:
        others = [
            f"{key} {written(value)}, not {written(asked)}"
            for key in SETTINGS
            if (value := getattr(before.recipe, key)) != (asked := getattr(job.recipe, key))
        ]
        raise UsageError(
            f"{folder} holds a run of {before.model} with recipe {before.recipe.label!r} and seed "
            f"{before.seed}, begun with {'; '.join(others) or 'other settings'}; give the same, or "
            "choose another --out."
        )
    if lost := state.pop("lost", []):
        raise UsageError(
            f"The run in {folder} cannot be resumed, since {_why_lost(lost)} Start anew in another "
            "--out."
        )
    return cast(TrainingState, state)
