"""What all that is asked for has in common: validated once, refused in one sentence, frozen."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from fashionbench.errors import UsageError

__all__ = ["Frozen"]


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
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {key!r}; there are {', '.join(model.model_fields)}."
    message = problem["msg"].removeprefix("Input ").removeprefix("Value error, ")
    if not key:  # settings that do not go together
        return f"{message}."
    return f"{key} is {problem['input']!r}, but {message}."
