"""A model's name taken apart: `v2:hidden_units=32:weights=best.pt` is a base, arguments, weights.

The text is what people type, tables show and job keys hash; everything else reads the parts.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fashionbench.errors import UsageError

__all__ = ["ModelSpec"]

_HUBS = ("timm", "torchvision")
"""The libraries with published weights, by the first part of `timm/NAME`."""
_WEIGHTS, _HEAD = "weights", "head"
"""The arguments that every model takes, and no constructor is given: `head=new` beside weights."""


@dataclass(frozen=True)
class ModelSpec:
    """Which model is meant, and what it is given; `str` writes its one canonical name."""

    base: str
    """A key of the table, `file.py:Name`, `package.module:Name`, or `timm/NAME` and the like."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What the constructor is given by name: Python's literals, or text."""
    weights: str | None = None
    """The file with the weights that the model begins with."""
    new_head: bool = False
    """Whether the last layer begins anew even where the file has one that fits."""

    @classmethod
    def parse(cls, name: str) -> "ModelSpec":
        """Parse a name, without asking whether there is such a model.

        Raises UsageError for an argument that is given twice.
        """
        base, given = name, dict[str, Any]()
        while ":" in base:
            rest, _, argument = base.rpartition(":")
            key, is_given, text = argument.partition("=")
            if f":{_WEIGHTS}=" in base and not (is_given and key.strip().isidentifier()):
                rest, key, text = base.partition(f":{_WEIGHTS}=")  # a path may hold colons
                key = _WEIGHTS
            elif not is_given:
                break
            if key.strip() in given:
                raise UsageError(f"{name}: {key.strip()} is given twice; give it once.")
            base, given[key.strip()] = rest, _literal(text)
        weights = given.pop(_WEIGHTS, None)
        new_head = weights is not None and given.get(_HEAD) == "new"
        if new_head:
            del given[_HEAD]
        in_order = dict(reversed(given.items()))
        return cls(base, in_order, None if weights is None else str(weights), new_head)

    def __str__(self) -> str:
        return ":".join([self.base, *self.given])

    @property
    def given(self) -> list[str]:
        """All that was given, as the name has it: `hidden_units=32`, in the order of the alphabet.

        The order is part of the name, which job keys hash.
        """
        begun = {_WEIGHTS: self.weights, _HEAD: "new" if self.new_head else None}
        others = {key: value for key, value in begun.items() if value is not None}
        return [f"{key}={value}" for key, value in sorted({**self.arguments, **others}.items())]

    @property
    def hub(self) -> str:
        """The hub that a backbone with published weights is from; "" for all other models."""
        hub, slash, _ = self.base.partition("/")
        return hub if slash and hub in _HUBS and ":" not in self.base else ""

    def without_weights(self) -> "ModelSpec":
        """Return the spec of the same model, begun with no weights of others."""
        bare = replace(self, weights=None, new_head=False)
        if not self.hub:
            return bare
        return replace(bare, arguments={**self.arguments, "pretrained": False})

    @property
    def short(self) -> str:
        """The name without folders and without a script's or a notebook's module."""
        return str(self.without_folders()).removeprefix("__main__:")

    def without_folders(self) -> "ModelSpec":
        """Return it with its files called by their names alone: `nets/my.py:Net` by `my.py:Net`."""
        base = re.sub(r"^.*[/\\](?=[^/\\]+\.py:)", "", self.base)
        weights = self.weights and re.split(r"[/\\]", self.weights)[-1]
        return replace(self, base=base, weights=weights)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
