"""The command that asks whether a data set can be trusted."""

import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from fashionbench.cli.options import (
    Command,
    DataOption,
    DatasetOption,
    DeviceOption,
    JsonOption,
    format_examples,
)
from fashionbench.core.names import printable

__all__ = ["app"]

app = typer.Typer()


@app.command(
    cls=Command,
    epilog=format_examples("fashionbench audit", "fashionbench audit --dataset my_pictures/"),
)
def audit(
    dataset: DatasetOption = "fashion-mnist",
    data_dir: DataOption = None,
    device: DeviceOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="the folder to write to", show_default="runs/DATASET/audit"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find images of a data set that are there twice: exactly, mirrored, or nearly.

    Every image is compared with every other, also mirrored and moved by up to two pixels. The
    folder gets audit.html, a page with pictures, and audit.json.
    """
    from fashionbench.experiments.audit.auditing import default_audit_folder, run_audit
    from fashionbench.report.audit_page import summarize_audit

    words = [printable(arg) for arg in sys.argv[1:] if arg != "--json"]
    command = shlex.join(["fashionbench", *words])
    with redirect_stdout(sys.stderr):
        found = run_audit(
            dataset, out or default_audit_folder(dataset), data_dir, command, device=device
        )
    if as_json:
        typer.echo(found.to_json(), nl=False)
        return
    for sentence in summarize_audit(found.document):
        typer.echo(sentence)
    typer.echo(f"\nPage: {printable(found.folder / 'audit.html')}")
