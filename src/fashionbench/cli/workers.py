"""The command that trains what a comparison has planned for others: `worker`."""

from pathlib import Path
from typing import Annotated

import typer

from fashionbench.cli.options import Command, format_examples

__all__ = ["app"]

app = typer.Typer()


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench worker runs/fashion-mnist --minutes 55",
        'ssh node7 "cd project && fashionbench worker runs/fashion-mnist"',
    ),
)
def worker(
    run_folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="the run folder of a comparison started with --on"),
    ],
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="NUMBER",
            help="end before so many minutes are over, and begin no run that would take longer",
        ),
    ] = None,
) -> None:
    """Train runs that a comparison has planned, until none is left.

    Start as many workers as you like, on every machine that shares the folder. Each takes a block
    of runs that nobody else has and leaves every finished run in the folder's inbox. A worker may
    be killed at any moment: another takes its block.
    """
    from fashionbench.experiments.cluster.worker import work

    runs = work(run_folder, minutes)
    typer.echo(f"{runs} {'run' if runs == 1 else 'runs'} finished")
