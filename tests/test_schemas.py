"""What the page's interface takes, and what it refuses."""

import pytest
from pydantic import ValidationError

from fashionbench.serve.schemas import Question, WhyQuestion

BLACK = [[0] * 28] * 28


def test_an_image_of_28_rows_of_28_bytes_is_taken() -> None:
    assert Question.model_validate({"pixels": BLACK}).pixels == BLACK
    assert WhyQuestion.model_validate({"pixels": BLACK, "class_index": 3}).model == 0


@pytest.mark.parametrize("pixels", [0, "black", {"rows": BLACK}])
def test_what_is_no_list_is_no_image(pixels: object) -> None:
    with pytest.raises(ValidationError):
        Question.model_validate({"pixels": pixels})


@pytest.mark.parametrize(
    "more", [{"class_index": -1}, {"class_index": 0, "model": -1}, {}, {"class_index": 0, "x": 1}]
)
def test_a_question_why_names_a_class_and_nothing_unknown(more: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        WhyQuestion.model_validate({"pixels": BLACK} | more)
