"""The commands for a trained model: what it makes of people's own pictures."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["predict"]


def predict(
    images: Annotated[list[str], typer.Argument(help="files, folders, globs, or - for stdin")],
    model: Annotated[
        Path | None, typer.Option(help="a .safetensors file or a run folder  [default: the newest]")
    ] = None,
) -> None:
    """Say what is on pictures of single clothes, with how much certainty."""
    from fashionbench.predict import load_predictor
    from fashionbench.prepare import load_picture

    predictor = load_predictor(model)
    for found in predictor.predict([load_picture(image) for image in images]):
        typer.echo(found.label)
