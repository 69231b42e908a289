"""The command line: flags -> one Study, results -> text. A thin layer on the Python functions.

Everything heavy is imported inside the command that needs it, so that help is quick.
"""

import json
import os
import re
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import fashionbench
from fashionbench.cli.flags import describe_settings, with_recipe_flags
from fashionbench.cli.predict import export, predict, serve
from fashionbench.core.names import printable
from fashionbench.errors import FashionbenchError, UsageError

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """Turns the package's errors into one sentence on standard error and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # A path that is empty would be taken for the current folder.
        if any(not arg or (arg.startswith("--") and arg.endswith("=")) for arg in args):
            ctx.fail(
                "An argument is empty, as from a variable that is not set; fill it in or omit it."
            )
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
            return answer
        except FashionbenchError as error:
            typer.echo(f"fashionbench: {printable(error)}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo("fashionbench: interrupted.", err=True)
            raise typer.Exit(130) from None
        except OSError as error:
            if error.filename or isinstance(error, BrokenPipeError):
                raise
            # What is left to write would be tried again at the very end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            typer.echo(f"fashionbench: the output cannot be written ({error.strerror}).", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Compare image classifiers on Fashion-MNIST: which is better, by how much, "
    "how sure that is, and what it costs in seconds.",
)

DatasetOption = Annotated[
    str, typer.Option(help="fashion-mnist, silhouettes, or the path of a folder")
]
DataOption = Annotated[
    Path | None,
    typer.Option(help="data folder", show_default="$FASHIONBENCH_DATA, else the user's cache"),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(help="a file of weights to begin with, safetensors or torch.save's"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fashionbench {fashionbench.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; ends with exit code 0, 1, 2 or 130."""
    app()


@app.command()
@with_recipe_flags
def compare(
    models: Annotated[str, typer.Option(help="models, separated by commas")] = "v0,v1,v2",
    recipes: Annotated[
        str, typer.Option(help="recipes or paths of .toml files, separated by commas")
    ] = "seed",
    seeds: Annotated[
        str, typer.Option(help="how many seeds, or which: 5 means 0,1,2,3,4; '7,' means 7 alone")
    ] = "5",
    until: Annotated[
        float | None,
        typer.Option(
            help="add seeds until each pair is decided or a difference of accuracies this large, "
            "such as 0.002, is excluded"
        ),
    ] = None,
    max_seeds: Annotated[int, typer.Option(help="where --until ends in any case")] = 100,
    weights: WeightsOption = None,
    dataset: DatasetOption = "fashion-mnist",
    data: DataOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    parallel: Annotated[str, typer.Option(help="auto, stacked, processes or serial")] = "auto",
    jobs: Annotated[str | None, typer.Option(metavar="N", help="at most N processes")] = None,
    out: Annotated[
        Path | None, typer.Option(help="run folder", show_default="runs/DATASET")
    ] = None,
    as_json: JsonOption = False,
    **settings: str | None,
) -> None:
    """Train models side by side over several seeds and compare them on the test set.

    Finished runs stay in the run folder: stopped and given again, the same command
    goes on where it was. Writes report.html, report.md, results.csv and results.json.
    """
    from fashionbench.config.study import Execution
    from fashionbench.experiments.comparison import run_study
    from fashionbench.experiments.planning import default_folder, plan

    execution = Execution.checked({"parallel": parallel, "jobs": jobs}, "compare")
    with redirect_stdout(sys.stderr):  # a person's own model may print
        study = plan(
            _names(models),
            _names(recipes),
            _seeds(seeds),
            weights=weights,
            dataset=dataset,
            device=device,
            until=until,
            max_seeds=max_seeds,
            **settings,
        )
        words = [printable(arg) for arg in sys.argv[1:] if arg != "--json"]
        command = shlex.join(["fashionbench", *words])
        result = run_study(study, out or default_folder(dataset), data, command, execution)
    _show(result, as_json)


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(help="a run folder that compare wrote")],
    as_json: JsonOption = False,
) -> None:
    """Render the report of a run folder's last comparison again, without training."""
    from fashionbench.report.page import write_report
    from fashionbench.report.result import load_result

    result = load_result(run_dir)
    write_report(result)
    _show(result, as_json)


@app.command()
def models(as_json: JsonOption = False) -> None:
    """List the models: name, parameters, FLOPs per image, and what each is."""
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
    _list(rows, as_json)


@app.command(epilog=describe_settings())
def recipes(
    name: Annotated[
        str | None,
        typer.Argument(help="a recipe or the path of a .toml file", show_default="all"),
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="draw its learning rate into NAME-schedule.png")
    ] = False,
    show: Annotated[
        bool,
        typer.Option("--show", help="draw what it does to images into NAME-augmentation.png"),
    ] = False,
    dataset: DatasetOption = "fashion-mnist",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the recipes, or all that one of them sets; draw its schedule and augmentation.

    A recipe is a file of settings such as `epochs = 10`, in TOML; its name is the file's. Every
    setting is also a flag of compare and train. The settings and their defaults:
    """
    from fashionbench.config.recipe import as_toml, load_recipe, recipe_names

    if name is None:
        if plot or show:
            raise UsageError("Name the recipe to draw, such as: fashionbench recipes long --plot")
        found = [load_recipe(known) for known in recipe_names()]
        _list(
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
        pictures["schedule"] = Path(f"{recipe.name}-schedule.png")
        write_schedule(recipe, pictures["schedule"])
    if show:
        pictures["augmentation"] = Path(f"{recipe.name}-augmentation.png")
        with redirect_stdout(sys.stderr):  # a person's own change may print
            write_augmentations(recipe, dataset, data, pictures["augmentation"])
    if as_json:
        typer.echo(json.dumps(recipe.model_dump() | pictures, indent=2, default=str))
        return
    for key, value in recipe.model_dump(exclude={"overrides"}).items():
        if value is not None:
            typer.echo(as_toml(key, value))
    for kind, path in pictures.items():
        typer.echo(f"{kind}: {path}")


@app.command()
@with_recipe_flags
def train(
    model: Annotated[str, typer.Argument(help="the model, as compare names it")],
    recipe: Annotated[str, typer.Option(help="a recipe or the path of a .toml file")] = "seed",
    seed: Annotated[int, typer.Option(min=0, help="where all that is random begins")] = 0,
    weights: WeightsOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the run that --out holds")
    ] = False,
    track: Annotated[
        str | None, typer.Option(help="tensorboard: write its events into the folder too")
    ] = None,
    dataset: DatasetOption = "fashion-mnist",
    data: DataOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    out: Annotated[
        Path | None,
        typer.Option(help="folder", show_default="runs/MODEL-RECIPE-DATASET-seedN"),
    ] = None,
    as_json: JsonOption = False,
    **settings: str | None,
) -> None:
    """Train one model by one recipe, keeping all of it after every epoch.

    Stopped by Ctrl-C, a crash or a kill, the same command with --resume ends with the very weights
    that it would have ended with. The folder gets last.pt, best.pt (the best epoch on the
    validation images, where there are any), model.safetensors and curve.csv. The test set is not
    looked at: that is for compare.
    """
    from fashionbench.core.files import slug
    from fashionbench.experiments.planning import plan
    from fashionbench.experiments.resume import train_in_folder

    with redirect_stdout(sys.stderr):  # a person's own model may print
        study = plan(
            [model],
            [recipe],
            [seed],
            weights=weights,
            dataset=dataset,
            device=device,
            **settings,  # type: ignore[arg-type]
        )
        ((job,),) = study.entries()
        command = shlex.join(["fashionbench", *map(printable, sys.argv[1:])])
        summary = train_in_folder(
            job,
            out or Path("runs") / slug(f"{model}-{job.recipe.label}-{dataset}-seed{seed}"),
            data,
            device=device,
            resume=resume,
            track=track,
            command=command if resume else f"{command} --resume",
        )
    if as_json:
        typer.echo(json.dumps(summary, indent=2, default=str))
        return
    for key, value in summary.items():
        if value is not None:
            told = f"{value:.4g}" if isinstance(value, float) else value
            typer.echo(f"{key.replace('_', ' ')}: {told}")


@app.command()
def data(
    dataset: DatasetOption = "fashion-mnist",
    data: DataOption = None,
    samples: Annotated[Path, typer.Option(help="where to write the picture of samples")] = Path(
        "samples.png"
    ),
    as_json: JsonOption = False,
) -> None:
    """Fetch the data if it is absent, verify it, describe it, and draw a sheet of samples."""
    from dataclasses import asdict

    from fashionbench.cli.previews import write_samples
    from fashionbench.data.datasets import describe

    summary = describe(dataset, data)
    write_samples(dataset, data, samples)
    if as_json:
        typer.echo(json.dumps(asdict(summary) | {"samples": str(samples)}, indent=2, default=str))
        return
    typer.echo(f"{summary}\nsamples: {samples}")


app.command()(predict)
app.command()(export)
app.command()(serve)


def _names(text: str) -> list[str]:
    """Parts between commas, but for those within brackets, as in net.py:Net:sizes=(1,2)."""
    parts = re.split(r",(?![^()\[\]{}]*[)\]}])", text)
    return [part.strip() for part in parts if part.strip()]


def _seeds(text: str) -> int | list[int]:
    try:
        numbers = [int(part) for part in _names(text)]
    except ValueError:
        raise UsageError(
            f"--seeds {text!r} is not understood; give a number of seeds, such as 5, "
            "or the seeds themselves, such as 0,1,7."
        ) from None
    return numbers if "," in text or not numbers else numbers[0]


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(result.to_json(), nl=False)
        return
    from rich.console import Console

    from fashionbench.report.terminal import pair_table, text_table

    console = Console(highlight=False, markup=False, emoji=False)  # names are as they are
    console.print(text_table(result))
    if result.pairs:
        console.print()
        console.print(pair_table(result))
    if result.warnings:
        console.print()
    for warning in result.warnings:
        console.print(f"! {warning}")
    console.print(f"\nReport: {printable(result.folder / 'report.html')}", soft_wrap=True)


def _list(rows: list[dict[str, Any]], as_json: bool) -> None:
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
