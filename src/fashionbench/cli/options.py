"""What several commands share: their options, their help, and names and seeds read from text."""

import shlex
import sys
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand

from fashionbench.core.names import printable
from fashionbench.errors import UsageError

__all__ = [
    "ChannelsOption",
    "Command",
    "DataOption",
    "DatasetOption",
    "DeviceOption",
    "JsonOption",
    "ModelsOption",
    "RecipesOption",
    "SeedsOption",
    "SizeOption",
    "TrainedModel",
    "WeightsOption",
    "format_examples",
    "parse_seeds",
    "read_number",
    "split_names",
    "typed_command",
]

ModelsOption = Annotated[
    str,
    typer.Option(
        metavar="A,B,...",
        help="the models to compare, separated by commas: built-in ones, my_net.py:MyNet, "
        "nets/*.py:Net, a folder nets/, or names in the run folder's report; NAME@RECIPE has a "
        "recipe of its own",
    ),
]
RecipesOption = Annotated[
    str,
    typer.Option(
        metavar="A,B,...", help="the recipes to train by, or the paths of your .toml files"
    ),
]
SeedsOption = Annotated[
    str,
    typer.Option(
        metavar="NUMBER|A,B,...",
        help="how many seeds, or which: 5 means 0,1,2,3,4; 0-49 a range; '7,' means 7 alone",
    ),
]
DatasetOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="fashion-mnist, silhouettes, or the path of your own folder of pictures",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="where the data set's files are, or are downloaded to",
        show_default="$FASHIONBENCH_DATA, else the user's cache",
    ),
]
ChannelsOption = Annotated[
    int | None,
    typer.Option(
        metavar="1|3",
        help="show networks the images in grey (1) or in color (3)",
        show_default="as the data set's",
    ),
]
SizeOption = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        help="pixels a side of the images that networks are shown",
        show_default="the data set's, 64 at most",
    ),
]
DeviceOption = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps")]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON document instead of text")]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="start from the weights in this file (safetensors, or written by torch.save)",
    ),
]

TRAINED_MODEL = (
    "a .safetensors file, a run folder (its best run), FOLDER:NAME for one of its models, "
    "v2:weights=FILE for weights of your own, or photo: the model that ships with fashionbench"
)
TrainedModel = Annotated[Path, typer.Argument(metavar="MODEL", help=TRAINED_MODEL)]


class Command(TyperCommand):
    """A command whose help wraps at the terminal's width and has no Python types in it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        paragraphs = (self.help or "").split("\n\n")
        self.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, without the types that Python has for them."""
        return without_types(super().get_params(ctx))

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 - typer's signature
        """Return the first sentence of the help, whole."""
        return (self.help or "").partition("\n")[0]


def without_types(parameters: list[Any]) -> list[Any]:
    """Blank the types that typer's help has after a flag (<bool>) and an argument (<list[str]>).

    Typer has no setting for this. If a version of it renames `display_type`, the types are back
    in the help, and a test of the help says so.
    """
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        if isinstance(parameter, TyperArgument):  # its metavar is its name
            parameter.display_type = lambda ctx: ""  # type: ignore[method-assign]
    return parameters


def format_examples(*commands: str) -> str:
    """Return the end of a command's help: what you might type, one line each.

    In Markdown the lines are a block of code.
    """
    # The blank line comes first: without it the help would lose the lines' indentation.
    return "\n".join(["", "Examples:", "", *(f"    {command}" for command in commands)])


def typed_command() -> str:
    """Return the command as it was typed, without --json: what gives the same result again."""
    words = [printable(word) for word in sys.argv[1:] if word != "--json"]
    return shlex.join(["fashionbench", *words])


def split_names(text: str) -> list[str]:
    """Split at commas, except inside brackets, as in net.py:Net:sizes=((1,2),(3,4))."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def read_number(text: str) -> int | float | str:
    """Return the number that a text is; the text itself where it is none."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def parse_seeds(text: str) -> int | Iterable[int]:
    """Return a number of seeds ("5"), or the seeds themselves ("0,1,7", "7," or "0-49").

    These are not counted out yet, since they may be any number. Raises UsageError for anything
    else.
    """
    try:
        ranges = [_parse_range(part) for part in split_names(text)]
        first = ranges[0][0]
    except (ValueError, IndexError):
        raise UsageError(
            f"--seeds {text!r} is not understood; give a number of seeds, such as 5, "
            "or the seeds themselves, such as 0,1,7 or 0-49."
        ) from None
    return first if text.strip().isdecimal() else chain.from_iterable(ranges)


def _parse_range(text: str) -> range:
    first, dash, last = text.partition("-")
    found = range(int(first), int(last if dash else first) + 1)
    if not found:
        raise ValueError
    return found
