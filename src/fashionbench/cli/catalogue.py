"""The commands that list what there is: models, recipes and data."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from fashionbench.cli.flags import describe_settings
from fashionbench.cli.options import (
    ChannelsOption,
    Command,
    DataOption,
    DatasetOption,
    JsonOption,
    SizeOption,
    format_examples,
)
from fashionbench.core.files import slug
from fashionbench.errors import UsageError

__all__ = ["app"]

app = typer.Typer()


@app.command(cls=Command, epilog=format_examples("fashionbench models", "fashionbench models vgg"))
def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="a model, also one of your own", show_default="all built-in ones"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the models: name, parameters, FLOPs per image, and what each one is.

    With a name, the arguments that it takes and what they are: NAME:ARGUMENT=VALUE changes one.
    """
    if name is not None:
        _show_model(name, as_json)
        return
    import torch

    from fashionbench.models.build import build_model
    from fashionbench.models.cost import count_parameters, flops_per_image
    from fashionbench.models.table import MODELS

    rows = []
    for name, entry in MODELS.items():
        with torch.device("meta"):  # sizes alone, without the time that initial weights take
            model = build_model(name)
            flops = flops_per_image(model)
        rows.append(
            {
                "model": name,
                "label": entry.label,
                "parameters": count_parameters(model),
                "flops_per_image": flops,
                "description": entry.description,
            }
        )
    if not as_json:  # a terminal has no room for both names
        rows = [{key: row[key] for key in row if key != "label"} for row in rows]
    print_rows(rows, as_json)


def _show_model(name: str, as_json: bool) -> None:
    """Print a model's arguments, with the values that they have if nothing is given."""
    from fashionbench.config.model_spec import ModelSpec
    from fashionbench.core.own_code import list_arguments, locate
    from fashionbench.models.build import build_model
    from fashionbench.models.cost import count_parameters
    from fashionbench.models.table import model_entry

    with redirect_stdout(sys.stderr):  # a person's own model may print
        entry = model_entry(ModelSpec.parse(name))
        arguments = list_arguments(locate(entry.reference)) | dict(entry.settings)
        parameters = count_parameters(build_model(name))
    about = {
        "model": name,
        "label": entry.label,
        "description": entry.description,
        "parameters": parameters,
        "arguments": arguments,
    }
    if as_json:
        typer.echo(json.dumps(about, indent=2, default=str))
        return
    typer.echo(": ".join(filter(None, [name, entry.label, entry.description])))
    typer.echo(f"{parameters:,} parameters")
    for key, value in arguments.items():
        typer.echo(f"  {key}={value}")


@app.command(
    cls=Command,
    epilog=describe_settings()
    + "\n"
    + format_examples("fashionbench recipes long --plot", "fashionbench recipes mine.toml --show"),
)
def recipes(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="a recipe, or the path of a .toml file", show_default="all"
        ),
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="draw its learning rate into NAME-schedule.png")
    ] = False,
    show: Annotated[
        bool,
        typer.Option("--show", help="draw its augmentation into NAME-augmentation.png"),
    ] = False,
    dataset: DatasetOption = "fashion-mnist",
    data_dir: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the recipes, or show everything that one of them sets.

    A recipe is a TOML file of settings such as `epochs = 10`, and its name is the file's. Each
    setting is also a flag of compare and train. The settings and their defaults are listed below.
    """
    from fashionbench.config.recipe import as_toml, load_recipe, recipe_names

    if name is None:
        if plot or show:
            raise UsageError("Name the recipe to draw, such as: fashionbench recipes long --plot")
        found = [load_recipe(known) for known in recipe_names()]
        print_rows(
            [recipe.model_dump() for recipe in found]
            if as_json
            else [{"recipe": recipe.name, "sets": recipe.in_words} for recipe in found],
            as_json,
        )
        return
    from fashionbench.cli.previews import write_augmentations, write_schedule

    recipe = load_recipe(name)
    pictures = {}
    if plot:
        pictures["schedule"] = Path(f"{slug(recipe.name)}-schedule.png")
        write_schedule(recipe, pictures["schedule"])
    if show:
        pictures["augmentation"] = Path(f"{slug(recipe.name)}-augmentation.png")
        with redirect_stdout(sys.stderr):  # a person's own augmentation may print
            write_augmentations(recipe, dataset, data_dir, pictures["augmentation"])
    if as_json:
        typer.echo(json.dumps(recipe.model_dump() | pictures, indent=2, default=str))
        return
    for key, value in recipe.model_dump(exclude={"overrides"}).items():
        if value is not None:
            typer.echo(as_toml(key, value))
    for kind, path in pictures.items():
        typer.echo(f"{kind}: {path}")


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench data", "fashionbench data --dataset my_pictures/ --samples mine.png"
    ),
)
def data(
    dataset: DatasetOption = "fashion-mnist",
    data_dir: DataOption = None,
    channels: ChannelsOption = None,
    size: SizeOption = None,
    samples: Annotated[
        Path, typer.Option(metavar="FILE", help="the PNG file to draw samples into")
    ] = Path("samples.png"),
    as_json: JsonOption = False,
) -> None:
    """Download the data if it is missing, verify it, describe it, and draw samples of it."""
    from dataclasses import asdict

    from fashionbench.cli.previews import write_samples
    from fashionbench.data.datasets import describe

    summary = describe(dataset, data_dir, channels=channels, size=size)
    write_samples(dataset, data_dir, samples, channels, size)
    if as_json:
        typer.echo(json.dumps(asdict(summary) | {"samples": str(samples)}, indent=2, default=str))
        return
    typer.echo(f"{summary}\nsamples: {samples}")


def print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows that share their keys as a table with a heading, or as a JSON list."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*(key.replace("_", " ") for key in rows[0]), box=None)
    for row in rows:
        table.add_row(
            *(f"{value:,}" if isinstance(value, int) else str(value) for value in row.values())
        )
    Console(highlight=False, markup=False, emoji=False).print(table)
