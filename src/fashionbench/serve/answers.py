"""From a question to its answer, for each of the page's requests; no HTTP in here."""

import base64
import binascii
import io
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from fashionbench.data.picture_reading import NoPicture, TooLarge, load_picture
from fashionbench.errors import FashionbenchError
from fashionbench.inference.occlusion import occlusion_map
from fashionbench.inference.photos import Prepared, prepare
from fashionbench.serve.schemas import (
    About,
    Answer,
    Answers,
    Chance,
    Item,
    MaskAnswers,
    ModelInfo,
    Question,
    TestImage,
    Why,
    WhyQuestion,
)
from fashionbench.serve.served_models import ServedModels
from fashionbench.stats.metrics import rank_classes

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "Refusal",
    "answer_json",
    "answer_picture",
    "answer_why",
    "describe_models",
    "describe_test_image",
    "explain_problem",
]

MOST_PIXELS = 50_000_000
"""Of one picture: a small file can unpack to more than the memory holds."""
PREVIEW = 480
"""Pixels of the longer side of the picture that is sent back."""

Q = TypeVar("Q", bound=BaseModel)


class Refusal(FashionbenchError):
    """What was sent cannot be answered; the status code says whose fault it is."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def describe_models(served: ServedModels, disagreements: int) -> About:
    """Describe what is served, and on how many test images the models disagree."""
    return About(
        version=version("fashionbench"),
        classes=list(served.models[0].predictor.classes),
        title=served.test_set.title if served.test_set else None,
        disagreements=disagreements,
        report=served.report is not None,
        channels=served.shape.channels,
        size=served.shape.side,
        finds_items=served.models[0].predictor.prepare is prepare,
        models=[
            ModelInfo(
                model=index,
                name=model.name,
                label=model.predictor.label,
                recipe=model.job.recipe.label,
                seed=model.job.seed,
                parameters=model.parameters,
                test_accuracy=model.test_accuracy,
                mean_accuracy=model.mean_accuracy,
                runs=model.runs,
            )
            for index, model in enumerate(served.models)
        ],
    )


def describe_test_image(served: ServedModels, index: int) -> TestImage:
    """Return a test image of the run folder, and what its runs recorded of it."""
    test_set, predicted = served.test_set, served.predicted
    assert test_set is not None
    assert predicted is not None
    return TestImage(
        index=index,
        label=test_set.classes[test_set.labels[index]],
        called=[test_set.classes[call] for call in predicted[:, index]],
        pixels=test_set.images[index].tolist(),
    )


def answer_json(served: ServedModels, body: bytes) -> Answers:
    """Answer a Question in JSON. Raises Refusal for anything else."""
    question = _parse(Question, body)
    if (question.picture is None) == (question.pixels is None):
        raise Refusal(422, "Give either `picture` or `pixels`.")
    if question.picture is None:
        image = _read_pixels(served, question.pixels)
        return _ask_models(served, Prepared(image[None], is_photo=False))
    try:
        picture = base64.b64decode(question.picture, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "`picture` is not base64.") from None
    return answer_picture(served, picture)


def answer_why(served: ServedModels, body: bytes) -> Why:
    """Answer a WhyQuestion in JSON. Raises Refusal for anything else."""
    question = _parse(WhyQuestion, body)
    if question.model >= len(served.models):
        raise Refusal(422, f"There are {len(served.models)} models, the first is 0.")
    predictor = served.models[question.model].predictor
    if question.class_index >= len(predictor.classes):
        raise Refusal(422, f"There are {len(predictor.classes)} classes, the first is 0.")
    image = _read_pixels(served, question.pixels)
    found = occlusion_map(predictor, image, question.class_index, question.is_photo)
    return Why(importance=found.round(6).tolist())


def _read_pixels(served: ServedModels, pixels: Any) -> NDArray[np.uint8]:
    """Return an image as the models see it, (H, W) or (3, H, W). Raises Refusal for another."""
    channels, side, _ = served.shape.sizes
    try:
        image = np.array(pixels)
    except (ValueError, OverflowError):  # rows that differ in length
        image = np.empty(0)
    whole = image.dtype.kind in "iu" and ((image >= 0) & (image <= 255)).all()
    if not whole or image.shape != ((side, side) if channels == 1 else (channels, side, side)):
        times = f"{channels} times " if channels > 1 else ""
        raise Refusal(
            422, f"`pixels` are {times}{side} rows of {side} whole numbers from 0 to 255."
        )
    return image.astype(np.uint8)


def _parse(kind: type[Q], body: bytes) -> Q:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        status = 400 if problem["type"] == "json_invalid" else 422
        raise Refusal(status, explain_problem(problem)) from None


def answer_picture(served: ServedModels, content: bytes) -> Answers:
    """Prepare a picture file and ask every model. Raises Refusal if it cannot be read as one."""
    predictor = served.models[0].predictor
    try:
        picture = load_picture(
            io.BytesIO(content), "The picture", predictor.levels, most_pixels=MOST_PIXELS
        )
        prepared = predictor.prepare(picture)
    except TooLarge:
        most = f"{MOST_PIXELS // 1_000_000} million pixels"
        raise Refusal(413, f"The picture has more than {most}; make it smaller.") from None
    except NoPicture:
        raise Refusal(
            415,
            "This file cannot be read as a picture. Use a JPEG, HEIC, PNG, WebP, AVIF, GIF, TIFF "
            "or BMP.",
        ) from None
    except FashionbenchError as error:
        raise Refusal(422, str(error)) from None
    return _ask_models(served, prepared, _shrink(picture))


def _ask_models(served: ServedModels, prepared: Prepared, preview: str | None = None) -> Answers:
    rely_on = served.for_photos if prepared.is_photo else 0
    prediction = served.models[rely_on].predictor.judge(prepared)
    items = [
        Item(box=box, answer=_answer(served, rely_on, part))
        for box, part in prepared.parts
        if prediction.items
    ]
    parts = prepared.by_mask() if len(prepared.masks) > 1 else []
    return Answers(
        prepared=prepared.image.tolist(),
        is_photo=prepared.is_photo,
        mask=prediction.mask,
        masks=[
            MaskAnswers(
                mask=part.masks[0], prepared=part.image.tolist(), answers=_answer_all(served, part)
            )
            for part in parts
        ],
        items=items,
        preview=preview,
        warnings=list(prediction.warnings),
        rely_on=rely_on,
        answers=_answer_all(served, prepared),
    )


def _answer_all(served: ServedModels, prepared: Prepared) -> list[Answer]:
    return [_answer(served, index, prepared) for index in range(len(served.models))]


def _answer(served: ServedModels, index: int, prepared: Prepared) -> Answer:
    model = served.models[index]
    found = model.predictor.judge(prepared)
    # Numbers that overflow cannot be held by JSON: the model is sure of nothing.
    row, classes = np.nan_to_num(found.probabilities), found.classes
    chances = [
        Chance(name=classes[k], class_index=k, probability=row[k])
        for k in rank_classes(row).tolist()
    ]
    return Answer(
        model=index,
        name=model.name,
        label=chances[0].name,
        sure=found.sure,
        remaining=list(found.remaining),
        chances=chances,
    )


def _shrink(picture: "Image") -> str:
    """Return a small JPEG of a picture as a data URL, for browsers that cannot show its format."""
    small, file = picture.copy(), io.BytesIO()
    small.thumbnail((PREVIEW, PREVIEW))
    small.save(file, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def explain_problem(problem: Any) -> str:
    """Say in a sentence what pydantic found wrong."""
    where = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query"))
    said = problem["msg"].removeprefix("Input ")
    return f"{where}: {said}." if where else f"{said}."
