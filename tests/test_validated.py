"""Whatever is asked for is validated once and refused in one sentence."""

import math

import numpy as np
import pytest
from pydantic import Field

from fashionbench.config.validated import Number, Validated, Whole
from fashionbench.errors import UsageError


class Address(Validated):
    street: str


class Parcel(Validated):
    pieces: Whole = Field(1, ge=1)
    price: Number | None = None
    colors: tuple[str, ...] = Field(("red",), min_length=1)
    wrapped: bool = False
    place: Address | None = None


def test_what_is_right_is_taken_and_stays() -> None:
    parcel = Parcel.checked({"pieces": np.int64(2), "price": 1}, "parcel")
    assert (parcel.pieces, parcel.price) == (2, 1)
    assert parcel == Parcel(pieces=2, price=1)
    with pytest.raises(
        UsageError, match=r"^A Parcel is never changed; make another with pieces=3\.$"
    ):
        parcel.pieces = 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pieces": 0}, "parcel: pieces is 0, but should be greater than or equal to 1."),
        (
            {"pices": 1},
            "parcel: there is no setting 'pices'; there are pieces, price, colors, wrapped, place.",
        ),
        ({"pieces": True}, "parcel: pieces is True, but should be a whole number."),
        ({"pieces": "2"}, "parcel: pieces is '2', but should be a whole number."),
        ({"pieces": 2.5}, "parcel: pieces is 2.5, but should be a whole number."),
        ({"pieces": 1e300}, "parcel: pieces is 1e+300, but should be smaller."),
        ({"price": True}, "parcel: price is True, but should be a number."),
        ({"price": math.nan}, "parcel: price is nan, but should be a finite number."),
        ({"colors": ()}, "parcel: colors is (), but should name one at least."),
        ({"colors": 3}, "parcel: colors is 3, but should be a list."),
        ({"colors": [3]}, "parcel: colors is 3, but should be text."),
        ({"place": {}}, "parcel: place.street is missing."),
        ({"wrapped": "perhaps"}, "parcel: wrapped is 'perhaps', but should be true or false."),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Parcel.checked(fields, "parcel")
    assert str(refusal.value) == message
    with pytest.raises(UsageError) as refusal:
        Parcel(**fields)
    assert str(refusal.value) == message.replace("parcel", "Parcel", 1)
