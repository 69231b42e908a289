"""The commands that put a trained model to work elsewhere: an exported file, a page."""

from pathlib import Path
from typing import Annotated

import typer

from fashionbench.cli.options import TRAINED_MODEL, Command, TrainedModel, format_examples

__all__ = ["app"]

app = typer.Typer()


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench export runs/fashion-mnist",
        "fashionbench export photo --to torch-export --out photo.pt2",
    ),
)
def export(
    model: TrainedModel,
    to: Annotated[
        str, typer.Option(metavar="onnx|torch-export", help="the format of the file")
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="the file to write", show_default="named after the checkpoint"
        ),
    ] = None,
    with_preprocessing: Annotated[
        bool,
        typer.Option(
            "--with-preprocessing", help="make the file take uint8 images and scale them itself"
        ),
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="where the data set's files are, for a checkpoint outside its run folder",
        ),
    ] = None,
) -> None:
    """Write a trained model as a file for other programs, with a model card beside it.

    The file is written only if it answers like the original on test images.
    """
    from fashionbench.inference.export import export_model

    made = export_model(model, to, out, with_preprocessing=with_preprocessing, data_dir=data_dir)
    typer.echo(str(made))


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench serve runs/fashion-mnist", "fashionbench serve photo --port 8080"
    ),
)
def serve(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL", help=TRAINED_MODEL, show_default="the newest in runs/, else photo"
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="the address to listen on")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(metavar="NUMBER", help="the port; 0 takes one that is free", min=0, max=65535),
    ] = 8000,
) -> None:
    """Open a page on this machine that classifies your pictures and shows why."""
    from fashionbench.serve.app import run_server

    run_server(model, host, port, announce=typer.echo)
