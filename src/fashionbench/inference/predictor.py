"""A trained model and your pictures -> class probabilities, and whether to rely on them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fashionbench.config.recipe import Views
from fashionbench.core.logits import infer
from fashionbench.core.shape import Shape
from fashionbench.data.picture_facts import PictureFacts, warn_of_ground
from fashionbench.data.picture_reading import Levels, load_picture
from fashionbench.errors import StoreError, UsageError
from fashionbench.inference.calibration import PhotoCalibration
from fashionbench.inference.own_weights import load_own_weights, parse_own_weights
from fashionbench.inference.photos import Prepared, prepare, squeeze
from fashionbench.inference.selection import PHOTO_MODEL, find_checkpoint
from fashionbench.models.checkpoint import load_facts, load_model
from fashionbench.models.facts import ModelFacts
from fashionbench.stats.metrics import log_softmax, rank_classes

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["SURE", "Prediction", "Predictor", "load_predictor", "predict"]

SURE = 0.5
"""The least probability of the first class at which a prediction counts as sure."""

REMAIN = 0.85
"""What the classes that remain hold together, where that takes two or three."""

PAIRED = {"Sandal", "Sneaker", "Ankle boot"}
"""Two of these are one item."""

TINY = 1e-9
"""Stands for a probability of 0, which has no logarithm."""


@dataclass(frozen=True, repr=False)
class Prediction:
    """What a model makes of one picture, or of one of several things on it. K classes."""

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    """(K,) in the order of `classes`; they sum to 1."""
    prepared: NDArray[np.uint8]
    """(28, 28): the picture as the model saw it, light on black; (3, H, W) in color."""
    sure: bool
    """Whether the first class has at least one half, and the picture shows one item, all of it."""
    warnings: tuple[str, ...] = ()
    """Why you should not rely on it all the same, in sentences."""
    mask: str | None = None
    """In which way the item of a photo was found that `prepared` shows."""
    box: tuple[float, float, float, float] | None = None
    """Where one of several things lies: left, top, right, bottom, in shares of the picture."""
    items: tuple["Prediction", ...] = ()
    """Where the picture shows several things: each of them."""

    def __repr__(self) -> str:
        share = f"{max(self.probabilities):.0%}"
        return f"Prediction({self.label!r}, {share}{'' if self.sure else ', not sure'})"

    def top(self, k: int = 3) -> list[tuple[str, float]]:
        """Return the `k` most probable classes with their probabilities, the first one first.

        Of equally probable classes the one that comes first in `classes` is first, as in scores.
        """
        order = rank_classes(np.array(self.probabilities))[:k]
        return [(self.classes[i], self.probabilities[i]) for i in order]

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.top(1)[0][0]

    @property
    def remaining(self) -> tuple[str, ...]:
        """The two or three classes that it may be, where it is not sure which."""
        if self.sure:
            return ()
        (first, p), (second, q), *third = self.top(3)
        return (first, second, *(name for name, _ in third if p + q < REMAIN))


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained model, ready for your pictures; `load_predictor` builds it. K classes."""

    model: nn.Module = field(repr=False)
    label: str
    """The name of the model's class."""
    classes: tuple[str, ...]
    temperature: float | None
    """Divides the logits; None, which counts as 1, if no validation images calibrated it."""
    path: Path
    """The checkpoint."""
    facts: ModelFacts = field(repr=False)
    """What is known of the model beside its weights."""
    prepare: "Callable[[Image], Prepared]" = field(default=prepare, repr=False)
    """Makes a picture look like those that the model was trained on."""
    test_views: Views = "one"
    """The views of each image whose logits are averaged, as when the model was scored."""
    pictures: PictureFacts = field(default_factory=PictureFacts)
    """What is known of the images of a person's own data set."""
    photo_model: nn.Module | None = field(default=None, repr=False)
    """The model as fitted to photos, calibrated; None for every model but the shipped one."""

    @property
    def levels(self) -> Levels | None:
        """What became black and white where pictures of its data set had more than 8 bits."""
        return self.pictures.levels

    def predict(self, pictures: "Sequence[str | Path | Image]") -> list[Prediction]:
        """Classify each picture, after preparing it like the images of the model's data set.

        A path may be of any format that Pillow reads; the picture is turned upright by its EXIF
        data. An image of Pillow is taken as it is. Arrays of shape (N, 28, 28) that are prepared
        already are for `predict_prepared`. Raises DataError for a picture that cannot be read or
        shows nothing, and UsageError for a single picture in place of a list.

        Examples:
            >>> from PIL import Image, ImageDraw
            >>> photo = Image.new("RGB", (300, 400), "beige")
            >>> ImageDraw.Draw(photo).rectangle((90, 60, 210, 340), fill="navy")
            >>> (prediction,) = fb.load_predictor("photo").predict([photo])
            >>> len(prediction.top(3))
            3
        """
        if isinstance(pictures, str | Path) or not isinstance(pictures, Iterable):
            raise UsageError(f"Give a list of pictures, such as [{pictures!r}].")
        return [self._predict_one(picture) for picture in pictures]

    def _predict_one(self, picture: "str | Path | Image") -> Prediction:
        if isinstance(picture, str | Path):
            picture = load_picture(Path(picture), levels=self.levels)
        elif not hasattr(picture, "convert"):
            raise UsageError(
                f"A picture is a path or an image of Pillow, and not a {type(picture).__name__}; "
                "load_predictor(...).predict_prepared takes arrays of prepared images."
            )
        return self.judge(self.prepare(picture))

    def judge(self, prepared: Prepared) -> Prediction:
        """Classify a prepared picture, and each of the things on it where it shows several."""
        probabilities = self.average_views(prepared)
        items = tuple(replace(self.judge(part), box=box) for box, part in prepared.parts)
        if len(items) == 2 and PAIRED.issuperset(item.label for item in items):
            items = ()
        doubts = list(self.warn(prepared))
        if items:
            doubts.append(f"The picture shows {len(items)} things; each has its answer.")
        elif prepared.is_cut:
            doubts.append("The item goes on beyond the picture; show all of it, laid flat or hung.")
        return Prediction(
            classes=self.classes,
            probabilities=tuple(probabilities.tolist()),
            prepared=prepared.image,
            sure=self.is_sure(probabilities) and not (items or prepared.is_cut),
            warnings=tuple(doubts),
            mask=prepared.masks[prepared.taken] if prepared.masks else None,
            items=items,
        )

    def average_views(self, prepared: Prepared) -> NDArray[np.float64]:
        """Return a picture's (K,) probabilities, averaged over its views in their logarithms.

        Those of a photo are calibrated for photos, if the model is.
        """
        found = self.predict_prepared(prepared.views, prepared.is_photo)
        logs = np.log(np.maximum(found, TINY)).mean(axis=0)
        probabilities: NDArray[np.float64] = np.exp(log_softmax(logs[None]))[0]
        return probabilities

    def warn(self, prepared: Prepared) -> tuple[str, ...]:
        """Say in what a picture differs from all those that the model was trained on."""
        return warn_of_ground(prepared.image, self.pictures)

    def is_sure(self, probabilities: NDArray[np.float64]) -> bool:
        """Tell whether the first of (K,) probabilities is high enough to rely on."""
        return bool(probabilities.max() >= SURE)

    def predict_prepared(
        self, images: NDArray[np.uint8], are_photos: bool = False
    ) -> NDArray[np.float64]:
        """Return (N, K) probabilities of (N, 28, 28) images, light on black.

        Those of photos are the calibrated model's, if there is one.
        A data set of one's own may have images of another size, or (N, 3, H, W) in color. Raises
        UsageError for others than those of the model's.
        """
        images, shape = np.asarray(images), self.facts.job.shape
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or Shape.of(images) != shape:
            raise UsageError(
                f"The images are {images.dtype} of {images.shape}, but should be several in uint8, "
                f"{shape}."
            )
        on_cpu = torch.from_numpy(np.ascontiguousarray(images))
        model, temperature = self.model, self.temperature or 1.0
        if are_photos and self.photo_model is not None:
            model, temperature = self.photo_model, 1.0
        logits = infer(model, on_cpu, self.test_views)
        # In float64, for a quotient in float32 could make different logits equal.
        return np.exp(log_softmax(logits.astype(np.float64) / temperature))


def predict(
    pictures: "str | Path | Image | Sequence[str | Path | Image]", model: Path | str | None = None
) -> list[Prediction]:
    """Classify pictures, files or PIL images, by a trained model; `model` as in `load_predictor`.

    Raises UsageError for a picture that cannot be read, and what `load_predictor` raises.

    Examples:
        >>> found = fb.predict("photo.jpg")  # doctest: +SKIP
        >>> found[0].label  # doctest: +SKIP
        'Sneaker'
    """
    if isinstance(pictures, str) or not isinstance(pictures, Sequence):
        pictures = [pictures]
    return load_predictor(model).predict(pictures)


def load_predictor(where: Path | str | None = None) -> Predictor:
    """Load a trained model to classify your own pictures with.

    `where` is a .safetensors file, or a run folder, whose best run is taken: the one with the
    highest validation accuracy or, without validation images, the lowest training loss.
    "FOLDER:NAME" is the best run of one of its models.
    "NAME:weights=FILE" is a file of weights that you trained elsewhere, in the model of that name.
    "photo", or None, is the shipped model, made for photos.

    Raises StoreError if there is no such model, or its training diverged, and UsageError if a file
    of weights is not all of its model.

    Examples:
        >>> predictor = fb.load_predictor("photo")
        >>> predictor.classes[0]
        'T-shirt/top'
    """
    if not isinstance(where, str | Path | None):
        raise UsageError(
            f"A trained model is named by its file, run folder or FOLDER:NAME, and is no "
            f"{type(where).__name__}; your own network answers (B, 1, 28, 28) pixels itself."
        )
    own = parse_own_weights(where)
    if own is not None:
        path = Path(own.weights or "")
        model, facts = load_own_weights(own)
    else:
        path = find_checkpoint(None if where is None else Path(where))
        model, facts = load_model(path), load_facts(path)
    if not facts.label or not facts.classes:
        raise StoreError(f"{path} does not say which classes it tells apart; train again.")
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        raise StoreError(
            f"The training of {path} diverged, its weights are no numbers; train again with a "
            "lower --lr, or take another model."
        )
    job, classes = facts.job, facts.classes
    photo_model = None
    if path == PHOTO_MODEL:
        photo_model = PhotoCalibration.load(path, classes).adapt(model, facts.temperature or 1.0)
    return Predictor(
        model=model,
        label=facts.label,
        classes=classes,
        temperature=facts.temperature,
        path=path,
        facts=facts,
        prepare=partial(squeeze, shape=job.shape) if job.dataset_source else prepare,
        test_views=job.recipe.test_views,
        pictures=facts.pictures if job.dataset_source else PictureFacts(),
        photo_model=photo_model,
    )
