"""Which models are trained by which recipes: all by all, unless one names its own, `v0@fast`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fashionbench.config.recipe import Recipe
from fashionbench.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    Model = str | Callable[[], nn.Module]

__all__ = ["Pairing", "pair", "split_recipe"]

_BOUND = re.compile(r"(.+)@([\w-]+|[^@]+\.toml)")
"""A model and its recipe; what stands behind any other @ is part of a path."""


@dataclass(frozen=True)
class Pairing:
    """The models and recipes of a comparison, and which is trained by which."""

    models: list["Model"]
    called: list[str]
    """Of each model the name that a person gave it; "" for none."""
    recipes: list[str | Recipe]
    trained_by: tuple[tuple[int, ...], ...] = ()
    """Of each model the positions of its recipes; empty where every model has every recipe."""


def pair(
    models: "Sequence[Model] | Mapping[str, Model]", recipes: Sequence[str | Recipe]
) -> Pairing:
    """Take each `NAME@RECIPE` apart; a model that names no recipe is trained by all of `recipes`.

    A model may be named with several recipes. Where all models name one, `recipes` do not count.
    A dict gives each model a name of its own; UsageError where it gives one model two.
    """
    called = [*models] if isinstance(models, Mapping) else [""] * len(models)
    models = [*models.values()] if isinstance(models, Mapping) else models
    asked: list[tuple[Model, str | None]] = [
        split_recipe(model) if isinstance(model, str) else (model, None) for model in models
    ]
    own = [recipe for _, recipe in asked if recipe is not None]
    if not own:
        return Pairing([*models], called, [*recipes])
    shared = [*recipes] if len(own) < len(asked) else []
    chosen = [*dict.fromkeys([*shared, *own])]
    trained_by: dict[Model, list[int]] = {}
    names: dict[Model, str] = {}
    for (model, recipe), name in zip(asked, called, strict=True):
        wanted = shared if recipe is None else [recipe]
        trained_by.setdefault(model, []).extend(map(chosen.index, wanted))
        if names.setdefault(model, name) != name:
            raise UsageError(
                f"{names[model]!r} and {name!r} are one model; give it one name, and several "
                "recipes as in models=['v0@fast', 'v0@adam']."
            )
    positions = (tuple(dict.fromkeys(each)) for each in trained_by.values())
    return Pairing([*trained_by], [*names.values()], chosen, tuple(positions))


def split_recipe(model: str) -> tuple[str, str | None]:
    """Take `NAME@RECIPE` apart; the recipe is None where none is named."""
    found = _BOUND.fullmatch(model)
    return (model, None) if found is None else (found[1], found[2])
