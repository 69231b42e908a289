"""Whatever is asked for is validated once and refused in one sentence."""

import pytest
from pydantic import Field, ValidationError

from fashionbench.config.validated import Validated
from fashionbench.errors import UsageError


class Address(Validated):
    street: str


class Order(Validated):
    pieces: int = Field(1, ge=1)
    colors: tuple[str, ...] = Field(("red",), min_length=1)
    wrapped: bool = False
    address: Address | None = None


def test_what_is_right_is_taken_and_stays() -> None:
    order = Order.checked({"pieces": "2"}, "order")
    assert order.pieces == 2
    with pytest.raises(ValidationError, match="frozen"):
        order.pieces = 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pieces": 0}, "order: pieces is 0, but should be greater than or equal to 1."),
        (
            {"pices": 1},
            "order: there is no setting 'pices'; there are pieces, colors, wrapped, address.",
        ),
        ({"colors": ()}, "order: colors is (), but should name one at least."),
        ({"colors": 3}, "order: colors is 3, but should be a list."),
        ({"colors": [3]}, "order: colors is 3, but should be text."),
        ({"address": {}}, "order: address.street is missing."),
        ({"wrapped": "perhaps"}, "order: wrapped is 'perhaps', but should be true or false."),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Order.checked(fields, "order")
    assert str(refusal.value) == message
