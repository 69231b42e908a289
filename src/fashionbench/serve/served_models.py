"""The models of a run side by side: loaded once, and the test images on which they disagree."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fashionbench.config.study import Job
from fashionbench.errors import FashionbenchError
from fashionbench.inference.predictor import Predictor, load_predictor
from fashionbench.inference.selection import PHOTO_MODEL
from fashionbench.models.checkpoint import checkpoint_path, load_facts
from fashionbench.report.comparison import Comparison
from fashionbench.store.records import RunRecord, TestSet
from fashionbench.store.run_store import RunStore

__all__ = ["Gallery", "Shown", "load_gallery"]


@dataclass(frozen=True, eq=False)
class Shown:
    """A model that is shown, and where it comes from."""

    name: str
    """The shortest name that tells the models apart."""
    predictor: Predictor
    job: Job
    parameters: int
    test_accuracy: float | None
    """None for a model that was trained without a look at the test set."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """The models, the best of the run first, and the test images of their run folder."""

    models: tuple[Shown, ...]
    test_set: TestSet | None = None
    """None for a checkpoint outside a run folder."""
    predicted: NDArray[np.uint8] | None = None
    """(M, N): the class that each model of the run calls each test image, as recorded."""
    report: Path | None = None
    missing: tuple[str, ...] = ()
    """A sentence for each model of the run that could not be loaded."""

    @property
    def for_photos(self) -> int:
        """The index of the model to rely on for photos: the one made for them, if it is shown."""
        paths = [shown.predictor.path for shown in self.models]
        return paths.index(PHOTO_MODEL) if PHOTO_MODEL in paths else 0

    @property
    def disagreements(self) -> NDArray[np.intp]:
        """Positions of the test images that the models call differently, most calls first."""
        if self.predicted is None:
            return np.empty(0, np.intp)
        ordered = np.sort(self.predicted, axis=0)
        calls = 1 + (ordered[1:] != ordered[:-1]).sum(axis=0)
        order: NDArray[np.intp] = np.argsort(-calls, kind="stable")
        return order[: np.count_nonzero(calls > 1)]


def load_gallery(where: Path | None = None) -> Gallery:
    """Load the models of a run folder: the best, and the first seed of every other entry.

    The model made for photos comes last, where the run's models tell the same classes apart.
    A checkpoint is shown alone; None and `photo` mean what they mean to `load_predictor`.
    Raises StoreError where there is no model; one of several that cannot be loaded is left
    out, and named.
    """
    best = load_predictor(where)
    shown = _show(best)
    folder = best.path.resolve().parent.parent
    if (where is not None and not where.is_dir()) or not (folder / "store.sqlite").is_file():
        return Gallery((shown,))
    comparison = Comparison.load(folder)
    models, runs, missing = [shown], [_run_of(shown, folder)], []
    for entry in comparison.entries:
        name, run = comparison.name(entry), entry.runs[0]
        if shown.job.key in (other.job.key for other in entry.runs):
            models[0] = replace(shown, name=name)
            continue
        try:
            loaded = load_predictor(checkpoint_path(folder, run.job, run.device))
        except FashionbenchError as error:
            missing.append(f"{name} is not shown: {error}")
            continue
        models.append(replace(_show(loaded), name=name))
        runs.append(run)
    of_photos = load_predictor(PHOTO_MODEL)
    if (of_photos.classes, of_photos.prepare) == (best.classes, best.prepare):
        models.append(replace(_show(of_photos), name="photo"))
    report = folder / "report.html"
    return Gallery(
        models=tuple(models),
        test_set=comparison.test_set,
        predicted=_stack(runs),
        report=report if report.is_file() else None,
        missing=tuple(missing),
    )


def _show(predictor: Predictor) -> Shown:
    facts = load_facts(predictor.path)
    return Shown(
        name=predictor.label,
        predictor=predictor,
        job=facts.job,
        parameters=facts.parameters,
        test_accuracy=facts.test_accuracy,
    )


def _run_of(shown: Shown, folder: Path) -> RunRecord | None:
    return RunStore(folder).load_run(shown.job)


def _stack(runs: Sequence[RunRecord | None]) -> NDArray[np.uint8] | None:
    predicted = [run.predicted for run in runs if run is not None]
    return np.stack(predicted) if len(predicted) == len(runs) else None
