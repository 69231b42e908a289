"""One training run in a folder of its own: kept after every epoch, gone on with after a stop.

last.pt and best.pt hold all that it takes to go on (weights, optimizer, running mean, curve;
whatever is random follows from the seed and the epoch) and load under weights_only=True;
model.safetensors is the trained model. The test set is never looked at here.
"""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from fashionbench.checkpoint import save_model
from fashionbench.config import Job
from fashionbench.data import load_data
from fashionbench.devices import describe_device, resolve_device
from fashionbench.errors import Interrupted, StoreError, UsageError
from fashionbench.evaluation import calibrate
from fashionbench.models import build_model, model_entry
from fashionbench.progress import say
from fashionbench.recipe import Recipe, written
from fashionbench.records import environment, write_atomically
from fashionbench.runs import count_parameters, explained
from fashionbench.track import TensorBoard
from fashionbench.train import Fit, fit

__all__ = ["train_in_folder"]


def train_in_folder(
    job: Job,
    folder: Path,
    data: Path | str | None = None,
    *,
    device: str = "auto",
    resume: bool = False,
    track: str | None = None,
    command: str = "the same call",
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
    finished = 0 if state is None else state["fit"]["epochs"]
    dataset = load_data(job.dataset, data, source=job.dataset_source)
    model = build_model(job.model, job.seed, len(dataset.classes), say)
    watch = TensorBoard(folder / "tensorboard", job.recipe) if track else None

    def keep(state: dict[str, Any]) -> None:
        nonlocal finished
        buffer = io.BytesIO()
        torch.save({"job": job.model_dump(), **state}, buffer)
        write_atomically(folder / "last.pt", buffer.getvalue())
        so_far = Fit(**state["fit"])
        if so_far.best_epoch(job.recipe) == so_far.epochs:
            write_atomically(folder / "best.pt", buffer.getvalue())
        finished = so_far.epochs
        if watch is not None:
            watch(so_far)

    label = f"{model_entry(job.model).label} seed {job.seed}"
    try:
        with explained(job):
            trained = fit(
                model,
                dataset.train,
                job.recipe,
                job.seed,
                device=on,
                description=label,
                resume=state,
                keep=keep,
            )
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted: {finished} of {job.recipe.epochs} epochs are finished and kept in "
            f"{folder}. To go on: {command}"
        ) from None
    facts = {
        "label": model_entry(job.model).label,
        "classes": dataset.classes,
        "parameters": count_parameters(model),
        "validation_accuracy": _kept_accuracy(trained, job.recipe),
        "temperature": calibrate(model, dataset.train, job.recipe),
        "environment": environment(
            {"torch": torch.__version__},
            threads=torch.get_num_threads(),
            device=describe_device(on),
        ),
    }
    save_model(model, folder / "model.safetensors", job, facts)
    write_atomically(folder / "curve.csv", _csv(trained).encode())
    return _summary(job, trained, folder, on)


def _summary(job: Job, trained: Fit, folder: Path, device: torch.device) -> dict[str, Any]:
    return {
        "model": job.model,
        "recipe": job.recipe.name,
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


def _kept_accuracy(trained: Fit, recipe: Recipe) -> float | None:
    """On the validation images, of the weights that the model is left with."""
    if not trained.validation_curve:
        return None
    best = trained.best_epoch(recipe) if recipe.patience is not None else None
    return trained.validation_curve[(best or trained.epochs) - 1][2]


def _csv(trained: Fit) -> str:
    """The whole curve: the training loss 20 times an epoch, the validation at its end."""
    checks = {
        float(epoch): f"{loss},{accuracy}" for epoch, loss, accuracy in trained.validation_curve
    }
    lines = [f"{at:.6g},{loss},{checks.get(at, ',')}" for at, loss in trained.curve]
    return "\n".join(["epochs,training_loss,validation_loss,validation_accuracy", *lines, ""])


def _load_state(job: Job, folder: Path, resume: bool) -> dict[str, Any] | None:
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
            for key, value in before.recipe
            if key not in ("name", "description") and value != (asked := getattr(job.recipe, key))
        ]
        raise UsageError(
            f"{folder} holds a run of {before.model} with recipe {before.recipe.name!r} and seed "
            f"{before.seed}, begun with {'; '.join(others) or 'other settings'}; give the same, or "
            "choose another --out."
        )
    return state
