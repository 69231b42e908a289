"""The base of all parts of results.json: typed, never changed, every field explained."""

import math
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = ["Known", "Part"]


def _drop_unknown(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


Known = Annotated[float | None, BeforeValidator(_drop_unknown)]
"""A finite number, or None where it cannot be told."""


class Part(BaseModel):
    """A part of the document: typed, never changed, read from an object with the same fields."""

    model_config = ConfigDict(
        allow_inf_nan=False,
        extra="forbid",
        from_attributes=True,
        frozen=True,
        use_attribute_docstrings=True,
    )
