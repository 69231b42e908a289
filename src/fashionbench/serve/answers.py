"""From a question to its answer, for each of the page's requests; no HTTP in here."""

import base64
import binascii
import io
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from fashionbench.data.picture_reading import NoPicture, TooLarge, load_picture
from fashionbench.errors import FashionbenchError
from fashionbench.inference.occlusion import occlusion_map
from fashionbench.inference.photos import Prepared
from fashionbench.serve.schemas import (
    About,
    Answer,
    Answers,
    Chance,
    ModelInfo,
    Question,
    TestImage,
    Why,
    WhyQuestion,
)
from fashionbench.serve.served_models import ServedModels
from fashionbench.stats.metrics import rank_classes

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
        models=[
            ModelInfo(
                model=index,
                name=model.name,
                label=model.predictor.label,
                recipe=model.job.recipe.label,
                seed=model.job.seed,
                parameters=model.parameters,
                test_accuracy=model.test_accuracy,
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
        image = np.array(question.pixels, np.uint8)
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
    found = occlusion_map(predictor, np.array(question.pixels, np.uint8), question.class_index)
    return Why(importance=found.round(6).tolist())


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
            "This is not a picture that can be read; give a JPEG, HEIC, PNG, WebP, AVIF, GIF, TIFF "
            "or BMP.",
        ) from None
    except FashionbenchError as error:
        raise Refusal(422, str(error)) from None
    return _ask_models(served, prepared)


def _ask_models(served: ServedModels, prepared: Prepared) -> Answers:
    answers = []
    for index, model in enumerate(served.models):
        # Numbers that overflow cannot be held by JSON: the model is sure of nothing.
        row = np.nan_to_num(model.predictor.average_views(prepared))
        classes = model.predictor.classes
        chances = [
            Chance(name=classes[k], class_index=k, probability=row[k])
            for k in rank_classes(row).tolist()
        ]
        answers.append(
            Answer(
                model=index,
                name=model.name,
                label=chances[0].name,
                sure=model.predictor.is_sure(row),
                chances=chances,
            )
        )
    return Answers(
        prepared=prepared.image.tolist(),
        warnings=list(served.models[0].predictor.warn(prepared)),
        rely_on=served.for_photos if prepared.is_photo else 0,
        answers=answers,
    )


def explain_problem(problem: Any) -> str:
    """Say in a sentence what pydantic found wrong."""
    where = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query"))
    said = problem["msg"].removeprefix("Input ")
    return f"{where}: {said}." if where else f"{said}."
