"""Questions and answers as JSON has them, and how the one leads to the other; no web in here."""

import base64
import binascii
import io
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import fashionbench
from fashionbench.data.picture_reading import NoPicture, TooLarge, load_picture
from fashionbench.errors import FashionbenchError
from fashionbench.inference.occlusion import occlusion_map
from fashionbench.inference.photos import Prepared
from fashionbench.serve.served_models import Gallery

__all__ = [
    "About",
    "Answers",
    "Problem",
    "Question",
    "Refusal",
    "TestImage",
    "Why",
    "WhyQuestion",
    "about",
    "answer_json",
    "answer_picture",
    "answer_why",
    "sentence",
    "test_image",
]

MOST_PIXELS = 50_000_000
"""Of one picture: a small file can unpack to more than the memory holds."""

Q = TypeVar("Q", bound=BaseModel)

Pixel = Annotated[int, Field(strict=True, ge=0, le=255)]
Row = Annotated[list[Pixel], Field(min_length=28, max_length=28)]
Pixels = Annotated[
    list[Row],
    Field(min_length=28, max_length=28, description="28 rows of 28 pixels, 0 to 255, light on 0"),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Question(_Strict):
    """One picture, in one of two ways."""

    picture: str | None = Field(None, description="a picture file in base64")
    pixels: Pixels | None = Field(None, description="a prepared image, light on black")


class WhyQuestion(_Strict):
    """A prepared image, and the answer that is asked about."""

    pixels: Pixels
    model: int = Field(0, ge=0, description="its index in /models")
    class_index: int = Field(ge=0)


class Chance(BaseModel):
    name: str
    class_index: int
    probability: float


class Answer(BaseModel):
    """What one model says."""

    model: int
    name: str
    label: str
    sure: bool = Field(description="whether the answer can be relied on")
    chances: list[Chance] = Field(description="every class, the most probable first")


class Answers(BaseModel):
    """The picture as the models saw it, and what each says."""

    prepared: Pixels
    rely_on: int = Field(description="which of the models is the one for such a picture")
    warnings: list[str] = Field([], description="why not to rely on any answer, in sentences")
    answers: list[Answer]


class Why(BaseModel):
    importance: list[list[float]] = Field(
        description="28 rows of 28: nats that a pixel adds to the class; negative: takes from it"
    )


class ModelInfo(BaseModel):
    model: int
    name: str
    label: str
    recipe: str
    seed: int
    parameters: int
    test_accuracy: float | None = Field(description="null where the test set was never looked at")


class About(BaseModel):
    version: str
    classes: list[str]
    title: str | None = Field(description="of the data set, where a run folder is served")
    disagreements: int = Field(description="test images that the models call differently")
    report: bool
    models: list[ModelInfo]


class TestImage(BaseModel):
    __test__ = False  # not a class of tests, whatever pytest makes of its name

    index: int
    label: str = Field(description="its true class")
    called: list[str] = Field(description="what each model calls it")
    pixels: Pixels


class Problem(BaseModel):
    detail: str = Field(description="what is wrong, in a sentence")


class Refusal(FashionbenchError):
    """What was sent cannot be answered; the status code says whose fault it is."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def about(gallery: Gallery, disagreements: int) -> About:
    """What is served."""
    return About(
        version=fashionbench.__version__,
        classes=list(gallery.models[0].predictor.classes),
        title=gallery.test_set.title if gallery.test_set else None,
        disagreements=disagreements,
        report=gallery.report is not None,
        models=[
            ModelInfo(
                model=index,
                name=shown.name,
                label=shown.predictor.label,
                recipe=shown.job.recipe.label,
                seed=shown.job.seed,
                parameters=shown.parameters,
                test_accuracy=shown.test_accuracy,
            )
            for index, shown in enumerate(gallery.models)
        ],
    )


def test_image(gallery: Gallery, index: int) -> TestImage:
    """A test image of the run folder, and what its runs recorded of it."""
    test_set, predicted = gallery.test_set, gallery.predicted
    assert test_set is not None
    assert predicted is not None
    return TestImage(
        index=index,
        label=test_set.classes[test_set.labels[index]],
        called=[test_set.classes[call] for call in predicted[:, index]],
        pixels=test_set.images[index].tolist(),
    )


def answer_json(gallery: Gallery, body: bytes) -> Answers:
    """Answer a Question. Raises Refusal for anything else."""
    question = _read(Question, body)
    if (question.picture is None) == (question.pixels is None):
        raise Refusal(422, "Give either `picture` or `pixels`.")
    if question.picture is None:
        image = np.array(question.pixels, np.uint8)
        return _answer(gallery, Prepared(image[None], is_photo=False))
    try:
        picture = base64.b64decode(question.picture, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "`picture` is not base64.") from None
    return answer_picture(gallery, picture)


def answer_why(gallery: Gallery, body: bytes) -> Why:
    """Answer a WhyQuestion. Raises Refusal for anything else."""
    question = _read(WhyQuestion, body)
    if question.model >= len(gallery.models):
        raise Refusal(422, f"There are {len(gallery.models)} models, the first is 0.")
    predictor = gallery.models[question.model].predictor
    if question.class_index >= len(predictor.classes):
        raise Refusal(422, f"There are {len(predictor.classes)} classes, the first is 0.")
    found = occlusion_map(predictor, np.array(question.pixels, np.uint8), question.class_index)
    return Why(importance=found.round(6).tolist())


def _read(kind: type[Q], body: bytes) -> Q:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        status = 400 if problem["type"] == "json_invalid" else 422
        raise Refusal(status, sentence(problem)) from None


def answer_picture(gallery: Gallery, content: bytes) -> Answers:
    """Prepare a picture file and ask every model. Raises Refusal for what is no such file."""
    predictor = gallery.models[0].predictor
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
            415, "This is not a picture that can be read; give a JPEG, PNG, WebP, GIF, TIFF or BMP."
        ) from None
    except FashionbenchError as error:
        raise Refusal(422, str(error)) from None
    return _answer(gallery, prepared)


def _answer(gallery: Gallery, prepared: Prepared) -> Answers:
    answers = []
    for index, shown in enumerate(gallery.models):
        # Numbers that overflow cannot be held by JSON: the model is sure of nothing.
        row = np.nan_to_num(shown.predictor.average_views(prepared))
        classes = shown.predictor.classes
        chances = [
            Chance(name=classes[k], class_index=k, probability=row[k])
            for k in np.argsort(-row, kind="stable").tolist()
        ]
        answers.append(
            Answer(
                model=index,
                name=shown.name,
                label=chances[0].name,
                sure=shown.predictor.is_sure(row),
                chances=chances,
            )
        )
    return Answers(
        prepared=prepared.image.tolist(),
        warnings=list(gallery.models[0].predictor.warn(prepared)),
        rely_on=gallery.for_photos if prepared.is_photo else 0,
        answers=answers,
    )


def sentence(problem: Any) -> str:
    """What pydantic found wrong, as a sentence."""
    where = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query"))
    said = problem["msg"].removeprefix("Input ")
    return f"{where}: {said}." if where else f"{said}."
