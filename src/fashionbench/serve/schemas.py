"""Requests and responses of the page's interface, as JSON has them; pydantic checks them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

__all__ = [
    "About",
    "Answer",
    "Answers",
    "Chance",
    "Item",
    "MaskAnswers",
    "ModelInfo",
    "Pixels",
    "Problem",
    "Question",
    "TestImage",
    "Why",
    "WhyQuestion",
]

_ROWS = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
Pixels = Annotated[
    list[Any],
    WithJsonSchema(
        {
            "description": "rows of pixels from 0 to 255, of Fashion-MNIST 28 of 28, light on 0; "
            "in color three times rows: red, green and blue",
            "anyOf": [_ROWS, {"type": "array", "items": _ROWS}],
        }
    ),
]
"""An (H, W) or (3, H, W) array as JSON has it; its shape depends on the model."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Question(_Strict):
    """One picture, in one of two ways."""

    picture: str | None = Field(None, description="a picture file in base64")
    pixels: Pixels | None = Field(None, description="a prepared image")


class WhyQuestion(_Strict):
    """A prepared image, and the answer that is asked about."""

    pixels: Pixels
    is_photo: bool = Field(False, description="as in the answer: some models treat photos apart")
    model: int = Field(0, ge=0, description="its index in /models")
    class_index: int = Field(ge=0)


class Chance(BaseModel):
    """How probable a class is."""

    name: str
    class_index: int
    probability: float


class Answer(BaseModel):
    """What one model says."""

    model: int
    name: str
    label: str
    sure: bool = Field(description="whether the answer can be relied on")
    remaining: list[str] = Field(description="where it is not sure: two or three classes it may be")
    chances: list[Chance] = Field(description="every class, the most probable first")


class MaskAnswers(BaseModel):
    """What each model says of a photo by one mask alone."""

    mask: str = Field(description="the way in which the item was found")
    prepared: Pixels
    answers: list[Answer]


class Item(BaseModel):
    """One of several things on a photo, and what the model to rely on says of it."""

    box: tuple[float, float, float, float] = Field(
        description="left, top, right and bottom, in shares of the picture's width and height"
    )
    answer: Answer


class Answers(BaseModel):
    """The picture as the models saw it, and what each says."""

    prepared: Pixels
    is_photo: bool = Field(description="whether the item had to be found on its ground")
    mask: str | None = Field(description="of a photo: the mask that `prepared` shows")
    masks: list[MaskAnswers] = Field(description="of a photo: the answers by each mask alone")
    items: list[Item] = Field(description="of a photo with several things apart: each of them")
    preview: str | None = Field(None, description="the picture, small, as a JPEG's data URL")
    rely_on: int = Field(description="which of the models is the one for such a picture")
    warnings: list[str] = Field([], description="why not to rely on any answer, in sentences")
    answers: list[Answer]


class Why(BaseModel):
    """Which pixels spoke for a class."""

    importance: list[list[float]] = Field(
        description="rows of pixels: nats that each adds to the class; negative: takes from it"
    )


class ModelInfo(BaseModel):
    """A model that is served, and where it comes from."""

    model: int
    name: str
    label: str
    recipe: str
    seed: int
    parameters: int
    test_accuracy: float | None = Field(description="null if the test set was never used")
    mean_accuracy: float | None = Field(
        description="of all its runs in the comparison; null outside of one"
    )
    runs: int = Field(description="how many these are")


class About(BaseModel):
    """What is served."""

    version: str
    classes: list[str]
    title: str | None = Field(description="of the data set, where a run folder is served")
    disagreements: int = Field(description="test images that the models call differently")
    report: bool
    channels: int = Field(description="of the images that models see: 1 for grey, 3 for color")
    size: int = Field(description="pixels a side of these")
    finds_items: bool = Field(
        description="whether the item on a photo is found and cut out; else all of it is shown"
    )
    models: list[ModelInfo]


class TestImage(BaseModel):
    """A test image, and what each model calls it."""

    __test__ = False  # not a class of tests, whatever pytest makes of its name

    index: int
    label: str = Field(description="its true class")
    called: list[str] = Field(description="what each model calls it")
    pixels: Pixels


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="what is wrong, in a sentence")
