"""The states of a training run as its folder holds them: last.pt, and best.pt of the best epoch.

Each holds all that it takes to go on (weights, optimizer, running mean, curve; whatever is random
follows from the seed and the epoch) and loads under weights_only=True.
"""

import io
import logging
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from fashionbench.config.recipe import SETTINGS, format_value
from fashionbench.config.study import Job
from fashionbench.core.files import write_atomically
from fashionbench.core.global_state import silent
from fashionbench.core.logits import pixels
from fashionbench.core.snapshot import plain_state
from fashionbench.data.split import Split
from fashionbench.errors import StoreError, UsageError
from fashionbench.experiments.whole import find_lost_state
from fashionbench.models.table import model_entry
from fashionbench.training.history import History
from fashionbench.training.layout import FEW
from fashionbench.training.loop import TrainingState

__all__ = ["SavedState", "StateWriter", "load_state"]

logger = logging.getLogger(__name__)

DAMAGES = (
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    OSError,
    EOFError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)
"""What is raised when a file that is no whole state is loaded."""


class SavedState(TrainingState):
    """A training state, and whose it is."""

    job: dict[str, Any]
    """The fields of the Job."""
    lost: list[str]
    """What the training changed that no file holds, by attribute: with any the run cannot go on."""


class StateWriter:
    """Writes the state that each epoch of a run ends with into the run's folder."""

    def __init__(
        self, job: Job, folder: Path, model: nn.Module, anew: Callable[[], nn.Module], data: Split
    ) -> None:
        """`anew` builds another such model, `data` is what the model is trained on."""
        self.lost: list[str] = []
        """What the training has changed that no file holds."""
        self._job, self._folder, self._model, self._data = job, folder, model, data
        self._before: dict[str, str] | None = None
        self._counters: set[str] = set()
        if model_entry(job.spec).is_own:
            self._before = plain_state(model)
            with silent():
                anew()
            after = plain_state(model)
            self._counters = {name for name in after if after[name] != self._before.get(name)}

    def write(self, state: TrainingState) -> History:
        """Write last.pt, and best.pt too after the best epoch; return the history so far."""
        if self._before is not None and not self.lost:
            images = pixels(self._data.images[:FEW].to(next(self._model.parameters()).device))
            self.lost = find_lost_state(self._model, self._before, images, self._counters)
            if self.lost:
                logger.warning(
                    f"This run cannot be resumed after a stop, since {_why_lost(self.lost)}"
                )
        saved: SavedState = {"job": self._job.model_dump(), "lost": self.lost, **state}
        buffer = io.BytesIO()
        torch.save(saved, buffer)
        write_atomically(self._folder / "last.pt", buffer.getvalue())
        history = History(**state["fit"])
        if history.best_epoch(self._job.recipe) == history.epochs:
            write_atomically(self._folder / "best.pt", buffer.getvalue())
        return history


def load_state(job: Job, folder: Path, *, resume: bool) -> SavedState | None:
    """Load the state from which the run of `job` in `folder` goes on; None where there is no run.

    Raises UsageError for a run that is not to be resumed, cannot be, or is another job's, and
    StoreError for a file that is damaged.
    """
    path = folder / "last.pt"
    if not path.exists():
        return None
    if not resume:
        raise UsageError(
            f"{folder} holds a training run already; go on with --resume, or choose another --out."
        )
    state, before = _read_state(path)
    if before.key != job.key:
        raise UsageError(
            f"{folder} holds a run of {before.model} with recipe {before.recipe.label!r} and seed "
            f"{before.seed}, begun with {_differences(before, job)}; give the same, or choose "
            "another --out."
        )
    if state["lost"]:
        raise UsageError(
            f"The run in {folder} cannot be resumed, since {_why_lost(state['lost'])} Start anew "
            "in another --out."
        )
    return state


def _read_state(path: Path) -> tuple[SavedState, Job]:
    try:
        content = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}).") from None
    try:
        state = {"lost": []} | torch.load(content, map_location="cpu", weights_only=True)
        return cast(SavedState, state), Job.model_validate(state["job"])
    except DAMAGES:
        other = "move best.pt to its place, or " if path.with_name("best.pt").exists() else ""
        raise StoreError(f"{path} is damaged; {other}start anew in another --out.") from None


def _differences(before: Job, job: Job) -> str:
    """Name the settings of a run's recipe that are not those asked for now."""
    others = [
        f"{key} {format_value(value)}, not {format_value(asked)}"
        for key in SETTINGS
        if (value := getattr(before.recipe, key)) != (asked := getattr(job.recipe, key))
    ]
    return "; ".join(others) or "other settings"


def _why_lost(names: list[str]) -> str:
    return (
        f"training changes {', '.join(names[:3])}, which is neither a parameter nor a buffer that "
        "is saved; keep what it holds in a buffer (self.register_buffer)."
    )
