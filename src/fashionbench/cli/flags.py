"""A recipe's settings as options of a command: one flag for each field, made from the field."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from fashionbench.cli.options import read_number
from fashionbench.config.recipe import SEARCHED, SETTINGS, SHORT_NAMES, as_toml, can_be_absent

__all__ = ["describe_settings", "with_recipe_flags"]

_SHORT_FLAGS = {setting: f"--{short}" for short, setting in SHORT_NAMES.items()}


def with_recipe_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command`, which takes **settings, an option for each setting of a recipe.

    Numbers and switches are passed on as a line of a file would hold them, all else as it was
    typed, and None where a flag was not given. The recipe validates them, so that a flag and a line
    of a file are refused in the same words.
    """

    @wraps(command)
    def with_flags(**given: Any) -> None:
        command(**{name: _read(name, value) for name, value in given.items()})

    own = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [p for p in own if p.kind is not inspect.Parameter.VAR_KEYWORD]
    for name, field in SETTINGS.items():
        flag, switch = "--" + name.replace("_", "-"), "bool" in str(field.annotation)
        option = typer.Option(
            *([_SHORT_FLAGS[name]] if name in _SHORT_FLAGS else []),
            f"{flag}/--no-{flag[2:]}" if switch else flag,
            help=field.description,
            metavar=_choose_metavar(field.annotation) + "|none" * can_be_absent(name),
            rich_help_panel="Settings of the recipe",
        )
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[bool | None if switch else str | None, option],
            )
        )
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_flags


def _read(name: str, value: Any) -> Any:
    """Read the numbers of a setting; what is none is left to the recipe to refuse."""
    if name not in SETTINGS or value in (None, "none"):
        return value
    annotation = SETTINGS[name].annotation
    if not _holds_numbers(annotation):
        return value
    if "tuple" in str(annotation):
        return [read_number(part) for part in value.split(",")]
    return read_number(value)


def describe_settings() -> str:
    """List every setting that a recipe file may hold, with its default, one line each."""
    return "\n".join(
        f"* {_format_default(name, field.default)}: {field.description}{_format_range(name)}"
        for name, field in SETTINGS.items()
    )


def _format_range(name: str) -> str:
    """Say over which values `--tune` searches a setting, if it does."""
    if name not in SEARCHED:
        return ""
    return f"; tuned over {SEARCHED[name]}" + " times it" * SEARCHED[name].relative


def _format_default(name: str, value: Any) -> str:
    return f"{name} (not set)" if value is None else as_toml(name, value)


def _choose_metavar(annotation: Any) -> str:
    text = str(annotation)
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    if "tuple" in text:
        return "A,B,..."
    return "NUMBER" if _holds_numbers(annotation) else "NAME"


def _holds_numbers(annotation: Any) -> bool:
    return "int" in str(annotation) or "float" in str(annotation)
