"""A call from Python, written out: whoever reads a report can ask for the same again."""

import inspect
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fashionbench.config.recipe import SETTINGS, Recipe, load_recipe, recipe_names
from fashionbench.core.names import printable
from fashionbench.models.identity import spell

__all__ = ["write_call"]


def write_call(function: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """Write the call of a public function with the arguments that are not its defaults.

    `given` holds all of its arguments by name. The text is read back by Python after
    `import fashionbench as fb`; of a script's own class or function it holds the bare name.
    """
    written = []
    for name, parameter in inspect.signature(function).parameters.items():
        value = given[name]
        if parameter.kind is parameter.VAR_KEYWORD:
            written += [f"{key}={_write(part)}" for key, part in value.items()]
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            written.append(_write(value))
        elif value != parameter.default:
            written.append(f"{name}={_write(value)}")
    return printable(f"fb.{function.__name__}({', '.join(written)})")


def _write(value: Any) -> str:
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_write(key)}: {_write(part)}' for key, part in value.items())}}}"
    if isinstance(value, partial):
        return _write(str(spell(value)))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_write, value))}]"
    if isinstance(value, Recipe):
        return _write_recipe(value)
    if hasattr(value, "__qualname__"):
        return _write_name(value)
    return repr(value)


def _write_name(thing: Any) -> str:
    """Name a class or function as `compare` finds it; what a script defines, only that script."""
    if thing.__module__ == "__main__":
        return str(thing.__qualname__)
    return _write(f"{thing.__module__}:{thing.__qualname__}")


def _write_recipe(recipe: Recipe) -> str:
    """Write a shipped recipe by its name and what differs from it, another with its settings."""
    if recipe.name in recipe_names():
        shipped = load_recipe(recipe.name)
        changed = {
            key: v for key in SETTINGS if (v := getattr(recipe, key)) != getattr(shipped, key)
        }
        if shipped.override(**changed) == recipe:
            arguments = ", ".join(f"{key}={_write(value)}" for key, value in changed.items())
            loaded = f"fb.load_recipe({_write(recipe.name)})"
            return f"{loaded}.override({arguments})" if changed else _write(recipe.name)
    fields = recipe.model_dump(exclude_defaults=True).items()
    return f"fb.Recipe({', '.join(f'{key}={_write(value)}' for key, value in fields)})"
