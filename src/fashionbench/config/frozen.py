"""What all that is asked for has in common: validated once, refused in one sentence, frozen."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from fashionbench.errors import UsageError

__all__ = ["Frozen"]

_IN_WORDS = {
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "int_type": "should be a whole number",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "missing": "has too few values",
    "too_long": "has too many values",
}
"""Kinds of problems that pydantic tells in the terms of its own workings."""


class Frozen(BaseModel):
    """A value: validated once, never changed; refusals are one sentence each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def checked(cls, fields: Mapping[str, Any], where: str) -> Self:
        """Build from `fields`; a bad one becomes a UsageError that starts with `where`."""
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            raise UsageError(f"{where}: {_sentence(error, cls)}") from None


def _sentence(error: ValidationError, model: type[BaseModel]) -> str:
    problem = error.errors()[0]
    kind = problem["type"]
    # Of a list the setting is named; which of its values is bad, the message shows.
    key = ".".join(part for part in problem["loc"] if isinstance(part, str))
    if kind == "extra_forbidden":
        return f"there is no setting {key!r}; there are {', '.join(model.model_fields)}."
    told = _IN_WORDS.get(kind, problem["msg"])
    message = told.removeprefix("Input ").removeprefix("Value error, ")
    if not key:  # settings that do not go together
        return f"{message}."
    return f"{key} is {problem['input']!r}, but {message}."
