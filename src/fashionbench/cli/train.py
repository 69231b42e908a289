"""The command that trains one model in a folder of its own."""

import json
import math
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from fashionbench.cli.flags import with_recipe_flags
from fashionbench.cli.options import (
    ChannelsOption,
    Command,
    DataOption,
    DatasetOption,
    DeviceOption,
    JsonOption,
    SizeOption,
    WeightsOption,
    format_examples,
    typed_command,
)
from fashionbench.errors import UsageError

__all__ = ["app"]

app = typer.Typer()


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench train vgg --epochs 10 --schedule cosine",
        "fashionbench train vgg --epochs 10 --schedule cosine --resume",
    ),
)
@with_recipe_flags
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="the model, named as in compare")],
    recipe: Annotated[
        str,
        typer.Option(metavar="NAME", help="the recipe to train by, or the path of a .toml file"),
    ] = "default",
    seed: Annotated[
        int,
        typer.Option(min=0, metavar="NUMBER", help="the seed of all random numbers"),
    ] = 0,
    weights: WeightsOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="continue the run that is in the folder, if any")
    ] = False,
    track: Annotated[
        str | None,
        typer.Option(
            metavar="tensorboard", help="also write the curve for TensorBoard into the folder"
        ),
    ] = None,
    dataset: DatasetOption = "fashion-mnist",
    data_dir: DataOption = None,
    channels: ChannelsOption = None,
    size: SizeOption = None,
    device: DeviceOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="the folder to write to",
            show_default="runs/MODEL-RECIPE-DATASET-seedN",
        ),
    ] = None,
    as_json: JsonOption = False,
    **settings: str | None,
) -> None:
    """Train one model, saving everything after each epoch.

    If it is stopped, run the same command again with --resume: it continues, and ends with the
    same weights as if it had never stopped. The folder gets last.pt, best.pt (the best epoch on
    the validation images, where there are any), model.safetensors and curve.csv. The test set
    is not used: that is for compare.
    """
    from fashionbench.core.files import slug
    from fashionbench.experiments.planning import plan
    from fashionbench.experiments.resume import train_in_folder
    from fashionbench.experiments.tensorboard import TensorBoard

    if track not in (None, "tensorboard"):
        raise UsageError(f"A run cannot be tracked by {track!r}; there is tensorboard.")
    with redirect_stdout(sys.stderr):  # a person's own model may print
        study = plan(
            [model],
            [recipe],
            [seed],
            weights=weights,
            dataset=dataset,
            channels=channels,
            size=size,
            device=device,
            **settings,  # type: ignore[arg-type]
        )
        ((job,),) = study.entries()
        command = typed_command()
        folder = out or Path("runs") / slug(f"{model}-{job.recipe.label}-{dataset}-seed{seed}")
        summary = train_in_folder(
            job,
            folder,
            data_dir,
            device=device,
            resume=resume,
            watch=TensorBoard(folder / "tensorboard", job.recipe) if track else None,
            command=command if resume else f"{command} --resume",
        )
    if as_json:  # which has no word for a loss that is no number
        known = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in summary.items()
        }
        typer.echo(json.dumps(known, indent=2, default=str))
        return
    for key, value in summary.items():
        if value is not None:
            text = f"{value:.4g}" if isinstance(value, float) else value
            typer.echo(f"{key.replace('_', ' ')}: {text}")
