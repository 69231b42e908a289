"""A trained model and people's pictures -> class probabilities, and whether to rely on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fashionbench.config.recipe import Views
from fashionbench.core.logits import infer
from fashionbench.data.fashion_mnist import CLASSES
from fashionbench.data.picture_facts import PictureFacts, warn_of_ground
from fashionbench.data.picture_reading import Levels
from fashionbench.errors import StoreError
from fashionbench.inference.photos import Prepared, prepare, squeeze
from fashionbench.models.checkpoint import checkpoint_path, load_facts, load_model
from fashionbench.report.comparison import Comparison
from fashionbench.report.entries import Entry
from fashionbench.stats.metrics import log_softmax

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PHOTO_MODEL", "SURE", "Prediction", "Predictor", "load_predictor"]

SURE = 0.5
"""The least probability of the first class at which a prediction counts as sure."""

PHOTO_TEMPERATURE = 1.6
PHOTO_OFFSETS = {
    "T-shirt/top": 0.5,
    "Trouser": 0.3,
    "Pullover": 1.1,
    "Dress": 0.4,
    "Coat": -0.5,
    "Sandal": -0.7,
    "Shirt": -0.9,
    "Sneaker": -0.3,
}
"""What photos ask for that the data set's own images do not: softer probabilities, and nats for
each class, most of all fewer shirts, which is what models call anything with folds. Fitted on
photos by benchmarks/photos.py, which says how such a fit does on photos that it has not seen."""

PHOTO_MODEL = Path(__file__).parent / "photo" / "model.safetensors"
"""The model that comes with the program, made for photos; the recipe is in the file beside it."""

TINY = 1e-9


@dataclass(frozen=True)
class Prediction:
    """What a model makes of one picture. K classes."""

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    """(K,) in the order of `classes`; they sum to 1."""
    prepared: NDArray[np.uint8]
    """(28, 28): the picture as the model saw it."""
    sure: bool
    """Whether the first class has a probability of at least SURE."""
    warnings: tuple[str, ...] = ()
    """Why not to rely on it all the same, in sentences."""

    def top(self, k: int = 3) -> list[tuple[str, float]]:
        """The `k` most probable classes and their probabilities, the most probable first.

        Of equal ones it is the first class, as where models are scored.
        """
        order = np.argsort(-np.array(self.probabilities), kind="stable")[:k]
        return [(self.classes[i], self.probabilities[i]) for i in order]

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.top(1)[0][0]


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained model, ready for pictures; `load_predictor` builds it."""

    model: nn.Module
    label: str
    """The name of the model's class."""
    classes: tuple[str, ...]
    temperature: float | None
    """Divides the logits; None, which counts as 1, where no validation images calibrated it."""
    path: Path
    """The checkpoint."""
    prepare: "Callable[[Image], Prepared]" = prepare
    """Makes of a picture what the model was trained on."""
    test_views: Views = "one"
    """What the model is shown of each image, as when it was scored."""
    pictures: PictureFacts = field(default_factory=PictureFacts)
    """What is known of the images of a person's own data set."""

    @property
    def levels(self) -> Levels | None:
        """What became black and white where pictures of its data set had more than 8 bits."""
        return self.pictures.levels

    def predict(self, pictures: "Sequence[Image]") -> list[Prediction]:
        """Prepare each picture as the data set's are, and classify it.

        Raises DataError for a picture with nothing on it.
        """
        found = []
        for prepared in map(self.prepare, pictures):
            row = self.weigh(prepared)
            found.append(
                Prediction(
                    classes=self.classes,
                    probabilities=tuple(row.tolist()),
                    prepared=prepared.image,
                    sure=self.is_sure(row),
                    warnings=self.warn(prepared),
                )
            )
        return found

    def warn(self, prepared: Prepared) -> tuple[str, ...]:
        """Say how a picture is unlike all those that the model was trained on."""
        return warn_of_ground(prepared.image, self.pictures)

    def weigh(self, prepared: Prepared) -> NDArray[np.float64]:
        """(K,) probabilities from all views of a picture; of a photo, put right for photos."""
        logs = np.log(np.maximum(self.predict_prepared(prepared.views), TINY)).mean(axis=0)
        if prepared.is_photo and self.classes == CLASSES:
            offsets = [PHOTO_OFFSETS.get(name, 0.0) for name in self.classes]
            logs = logs / PHOTO_TEMPERATURE + offsets
        probabilities: NDArray[np.float64] = np.exp(log_softmax(logs[None]))[0]
        return probabilities

    def is_sure(self, probabilities: NDArray[np.float64]) -> bool:
        """Whether the first of (K,) probabilities is high enough to be relied on."""
        return bool(probabilities.max() >= SURE)

    def predict_prepared(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, 28, 28) images, light on black -> (N, K) probabilities."""
        on_cpu = torch.from_numpy(np.ascontiguousarray(images))
        logits = infer(self.model, on_cpu, self.test_views)
        # In float64, for a quotient in float32 could make different logits equal.
        return np.exp(log_softmax(logits.astype(np.float64) / (self.temperature or 1.0)))


def load_predictor(where: Path | None = None) -> Predictor:
    """Load a checkpoint, or the best of a run folder.

    None means the newest comparison in runs/, or the model that comes with the program where
    there is none; `photo` means that model, unless there is a file or folder of that name.

    Of a run folder it is the run with the highest validation accuracy. Where no run held out
    validation images it is the first seed of the model with the lowest mean training loss at the
    end: the test set chooses nothing, so that a model's test accuracy stays an honest estimate.
    Raises StoreError where there is no such model.
    """
    folder = newest_run_folder() if where is None else where
    if folder is None or (folder == Path("photo") and not folder.exists()):
        path = PHOTO_MODEL
    else:
        path = _best_checkpoint(folder)
    model, facts = load_model(path), load_facts(path)
    if not facts.label or not facts.classes:
        raise StoreError(f"{path} does not say which classes it tells apart; train again.")
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        raise StoreError(
            f"The training of {path} diverged, its weights are no numbers; train again with a "
            "lower --lr, or take another model."
        )
    job = facts.job
    return Predictor(
        model=model,
        label=facts.label,
        classes=facts.classes,
        temperature=facts.temperature,
        path=path,
        prepare=squeeze if job.dataset_source else prepare,
        test_views=job.recipe.test_views,
        pictures=facts.pictures if job.dataset_source else PictureFacts(),
    )


def newest_run_folder(runs: Path = Path("runs")) -> Path | None:
    """The run folder in `runs` whose store was written last."""
    stores = sorted(runs.glob("*/store.sqlite"), key=lambda path: path.stat().st_mtime)
    return stores[-1].parent if stores else None


def _best_checkpoint(where: Path) -> Path:
    try:
        is_folder = where.is_dir()
    except OSError as error:
        raise StoreError(f"{where} cannot be read ({error.strerror}).") from None
    if not is_folder:
        return where
    if (trained := where / "model.safetensors").exists():  # a folder of `fashionbench train`
        return trained
    entries = Comparison.load(where).entries
    validated = [run for entry in entries for run in entry.runs if run.validation_accuracy]
    if validated:
        best = max(validated, key=lambda run: run.validation_accuracy or 0)
    else:
        best = min(entries, key=_training_loss).runs[0]
    return checkpoint_path(where, best.job, best.device)


def _training_loss(entry: Entry) -> float:
    """At the end of training, mean over the runs; infinite where one diverged."""
    losses = [run.curve[-1][1] for run in entry.runs]
    return fmean(losses) if all(map(isfinite, losses)) else inf
