"""Values that are validated once, when they are read, and refused in one sentence."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NoReturn, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fashionbench.errors import UsageError

__all__ = ["Number", "Validated", "Whole", "describe_refusal"]

_IN_WORDS = {
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "int_parsing_size": "should be smaller",
    "int_type": "should be a whole number",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "string_type": "should be text",
    "tuple_type": "should be a list",
    "too_short": "should name one at least",
    "missing": "has too few values",
    "too_long": "has too many values",
}
"""Kinds of problems that pydantic tells in the terms of its own workings."""


def _refuse_disguised(problem: str) -> Callable[[Any], Any]:
    """Refuse what pydantic would take for a number though it is none: true, and text."""

    def check(value: Any) -> Any:
        if isinstance(value, bool | str):
            raise ValueError(problem)
        return value

    return check


Whole = Annotated[int, BeforeValidator(_refuse_disguised("should be a whole number"))]
Number = Annotated[
    float,
    Field(allow_inf_nan=False),
    BeforeValidator(_refuse_disguised("should be a number")),
]


class Validated(BaseModel):
    """A value: validated once, never changed; refusals are one sentence each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **fields: Any) -> None:
        """Take the fields by name; a bad one becomes a UsageError."""
        try:
            super().__init__(**fields)
        except ValidationError as error:
            name = type(self).__name__
            raise UsageError(f"{name}: {describe_refusal(error, type(self))}") from None

    # Else pydantic would call it for a value within another, and lose where that one stands.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        """Refuse a change by a UsageError."""
        kind = type(self).__name__
        raise UsageError(f"A {kind} is never changed; make another with {name}={value!r}.")

    @classmethod
    def checked(cls, fields: Mapping[str, Any], where: str) -> Self:
        """Build from `fields`; a bad one becomes a UsageError that starts with `where`."""
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            raise UsageError(f"{where}: {describe_refusal(error, cls)}") from None


def describe_refusal(error: ValidationError, model: type[BaseModel]) -> str:
    """Say what is wrong with the first bad field of a `model`, and what is allowed, in a clause."""
    problem = error.errors()[0]
    kind = problem["type"]
    # Of a list the setting is named; which of its values is bad, the message shows.
    key = ".".join(part for part in problem["loc"] if isinstance(part, str))
    if kind == "extra_forbidden":
        instead = f"; there are {', '.join(model.model_fields)}" if key in problem["loc"] else ""
        return f"there is no setting {key!r}{instead}."
    if kind == "missing" and key and isinstance(problem["loc"][-1], str):
        return f"{key} is missing."
    message = _IN_WORDS.get(kind, problem["msg"])
    message = message.removeprefix("Input ").removeprefix("Value error, ")
    if not key:  # settings that do not go together
        return f"{message}."
    return f"{key} is {problem['input']!r}, but {message}."
