"""The commands for many machines: `worker` trains, `merge` puts run folders together."""

from pathlib import Path
from typing import Annotated

import typer

from fashionbench.cli.compare import print_result
from fashionbench.cli.options import Command, JsonOption, format_examples, typed_command

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
            help="stop within this many minutes, and start no run that would take longer",
        ),
    ] = None,
    timed: Annotated[
        bool,
        typer.Option(
            "--timed",
            help="train only the runs that are to be timed, one after another; the machine must do "
            "nothing else",
        ),
    ] = False,
) -> None:
    """Train runs that a comparison has planned, until none is left.

    Start as many workers as you like, on every machine that shares the folder. Each takes a block
    of runs that nobody else has and leaves every finished run in the folder's inbox. A worker may
    be killed at any moment: another takes its block.
    """
    from fashionbench.experiments.cluster.worker import work
    from fashionbench.report.numbers import pluralize

    runs = work(run_folder, minutes, timed=timed)
    typer.echo(f"{pluralize(runs, 'run')} finished")


@app.command(
    cls=Command,
    epilog=format_examples("fashionbench merge runs/anna runs/ben runs/cem --out runs/all"),
)
def merge(
    run_folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="the run folders of comparisons")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="the run folder for all of it; it may exist")
    ],
    as_json: JsonOption = False,
) -> None:
    """Put the runs of several folders into one, with their weights, and report on all of them.

    The folders must have been made with the same data and protocol. Merging again, or one more
    folder into the same, adds what is new. Models of one name but other code stay apart, under the
    names of their folders.
    """
    from fashionbench.experiments.merge import merge_runs
    from fashionbench.report.page import write_report

    result = merge_runs(run_folders, out, typed_command())
    write_report(result)
    print_result(result, as_json)
