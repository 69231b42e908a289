"""The models of a run side by side: loaded once, and the test images on which they disagree."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashionbench.config.study import Job
from fashionbench.core.shape import Shape
from fashionbench.errors import FashionbenchError
from fashionbench.inference.own_weights import parse_own_weights
from fashionbench.inference.predictor import Predictor, load_predictor
from fashionbench.inference.selection import PHOTO_MODEL, find_newest_run_folder
from fashionbench.models.checkpoint import checkpoint_path
from fashionbench.report.comparison import Comparison
from fashionbench.store.records import RunRecord, TestSet
from fashionbench.store.run_store import RunStore

__all__ = ["ServedModel", "ServedModels", "load_served_models"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model that is served, and where it comes from."""

    name: str
    """The shortest name that tells the models apart."""
    predictor: Predictor
    job: Job
    parameters: int
    test_accuracy: float | None
    """None for a model that was trained without a comparison."""
    mean_accuracy: float | None = None
    """Of all its runs in the comparison, of which this is one; None outside of one."""
    runs: int = 1


@dataclass(frozen=True, eq=False)
class ServedModels:
    """The models, the best of the run first, and the test images of their run folder."""

    models: tuple[ServedModel, ...]
    test_set: TestSet | None = None
    """None for a checkpoint outside a run folder."""
    predicted: NDArray[np.uint8] | None = None
    """(M, N): the class that each model of the run calls each test image, as recorded."""
    report: Path | None = None
    for_photos: int = 0
    """The index of the model to rely on for photos: the one made for them, if it is served."""

    @property
    def shape(self) -> Shape:
        """That of the images which all the models see."""
        return self.models[0].job.shape

    @property
    def disagreements(self) -> NDArray[np.intp]:
        """Positions of the test images that the models call differently, most calls first."""
        if self.predicted is None:
            return np.empty(0, np.intp)
        ordered = np.sort(self.predicted, axis=0)
        calls = 1 + (ordered[1:] != ordered[:-1]).sum(axis=0)
        order: NDArray[np.intp] = np.argsort(-calls, kind="stable")
        return order[: np.count_nonzero(calls > 1)]


def load_served_models(where: Path | None = None, photo_model: Path = PHOTO_MODEL) -> ServedModels:
    """Load the models of a run folder: the best, and the first seed of every other entry.

    Of `FOLDER:NAME` the model of that name comes first. The photo model comes last, if the run's
    models tell the same classes apart. A checkpoint is served alone; None is the newest run folder
    in runs/, and the photo model where there is none. Raises StoreError if there is no model; one
    of several that cannot be loaded is left out, with a warning.
    """
    where = where or find_newest_run_folder()
    predictor = load_predictor(where)
    best, folder = _describe(predictor), predictor.path.resolve().parent.parent
    is_one = where is not None and (where.is_file() or parse_own_weights(where) is not None)
    if is_one or not (folder / "store.sqlite").is_file():
        return ServedModels((best,))
    comparison = Comparison.load(folder)
    compared = list(_load_compared(comparison, best))
    models = [model for model, _ in compared]
    of_photos, for_photos = load_predictor(photo_model), 0
    if (of_photos.classes, of_photos.prepare) == (predictor.classes, predictor.prepare):
        for_photos = len(models)
        models.append(replace(_describe(of_photos), name="photo"))
    report = folder / "report.html"
    return ServedModels(
        models=tuple(models),
        test_set=comparison.test_set,
        predicted=_stack_predictions([run for _, run in compared]),
        report=report if report.is_file() else None,
        for_photos=for_photos,
    )


def _load_compared(
    comparison: Comparison, best: ServedModel
) -> Iterator[tuple[ServedModel, RunRecord | None]]:
    """Yield one model for each entry of a comparison, and its run; `best` first."""
    others = []
    for entry in comparison.entries:
        known: dict[str, Any] = {
            "name": comparison.name(entry),
            "mean_accuracy": fmean(entry.accuracies),
            "runs": len(entry.runs),
        }
        if best.job.key in (other.job.key for other in entry.runs):
            best = replace(best, **known)
        else:
            others.append((known, entry.runs[0]))
    yield best, RunStore(comparison.folder).load_run(best.job)
    for known, run in others:
        try:
            path = checkpoint_path(comparison.folder, run.job, run.device)
            yield replace(_describe(load_predictor(path)), **known), run
        except FashionbenchError as error:
            logger.warning("%s is not served: %s", known["name"], error)


def _describe(predictor: Predictor) -> ServedModel:
    facts = predictor.facts
    return ServedModel(
        name=predictor.label,
        predictor=predictor,
        job=facts.job,
        parameters=facts.parameters,
        test_accuracy=facts.test_accuracy,
    )


def _stack_predictions(runs: Sequence[RunRecord | None]) -> NDArray[np.uint8] | None:
    """Return (M, N) predicted classes, a row a run; None if one of the runs was not recorded."""
    predicted = [run.predicted for run in runs if run is not None]
    return np.stack(predicted) if len(predicted) == len(runs) else None
