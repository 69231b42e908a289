"""The commands that compare: `compare` trains and judges, `report` shows the verdict again."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fashionbench.cli.flags import with_recipe_flags
from fashionbench.cli.options import (
    ChannelsOption,
    Command,
    DataOption,
    DatasetOption,
    DeviceOption,
    JsonOption,
    ModelsOption,
    RecipesOption,
    SeedsOption,
    SizeOption,
    WeightsOption,
    format_examples,
    parse_seeds,
    read_number,
    split_names,
    typed_command,
)
from fashionbench.config.recipe import SEARCHED
from fashionbench.core.names import printable
from fashionbench.errors import UsageError

if TYPE_CHECKING:
    from fashionbench.experiments.result import Result

__all__ = ["app"]

app = typer.Typer()


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench compare --models v1,mlp --seeds 10",
        "fashionbench compare --models v0,mlp --until 0.005",
        "fashionbench compare --models v0,mlp --tune lr --trials 15",
        "fashionbench compare --models v2,my_net.py:MyNet --epochs 10 --lr 0.05",
        "fashionbench compare --models v0@fast,v2:weights=mine.pth@scored",
        "fashionbench compare --models nets/ --seeds 20 --for 10m",
    ),
)
@with_recipe_flags
def compare(
    models: ModelsOption = "v0,v1,v2",
    recipes: RecipesOption = "default",
    seeds: SeedsOption = "5",
    until: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="add seeds until every pair of models is decided, or a difference of accuracy as "
            "large as this, such as 0.002, is ruled out",
        ),
    ] = None,
    max_seeds: Annotated[
        int, typer.Option(metavar="NUMBER", help="the most seeds that --until may add up to")
    ] = 100,
    vary: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="what differs between seeds: all (everything random), or only weights (the first "
            "ones), order (of the images) or augmentation",
        ),
    ] = "all",
    splits: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            help="also make every run on this many splits of all images dealt anew, and say "
            "whether verdicts hold for other splits",
        ),
    ] = None,
    exclude: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="also show accuracies without the test images that an audit.json doubts",
        ),
    ] = None,
    tune: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="first find the best values of these settings for each model and recipe, by "
            f"validation images: lr, {', '.join(list(SEARCHED)[2:])} or batch_size",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            help="how many points of the search space each model and recipe tries",
            show_default="15",
        ),
    ] = None,
    studies: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="divide the trials into this many studies that each choose on their own, so that "
            "intervals include the luck of choosing",
        ),
    ] = 1,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="the time that tuning may take, such as 10m; how many trials that is follows from "
            "what they cost",
        ),
    ] = None,
    weights: WeightsOption = None,
    dataset: DatasetOption = "fashion-mnist",
    data_dir: DataOption = None,
    channels: ChannelsOption = None,
    size: SizeOption = None,
    device: DeviceOption = "auto",
    time_limit: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="TIME",
            help="start no more seeds after this time, such as 90s, 10m or 2h; all models then "
            "have equally many",
        ),
    ] = None,
    parallel: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="how seeds run together: auto, stacked, processes or serial"
        ),
    ] = "auto",
    jobs: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="use at most this many processes")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:NUMBER",
            help="let workers train the runs: workers:4 starts 4 processes here, slurm:16 an array "
            "of 16 jobs; ray uses the Ray cluster here, ray:ADDRESS another one",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only print the script for Slurm's workers")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="the run folder, which keeps runs", show_default="runs/DATASET"
        ),
    ] = None,
    track: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="also write each run to tensorboard, mlflow or trackio (extras track, mlflow, "
            "trackio)",
        ),
    ] = None,
    as_json: JsonOption = False,
    **settings: str | None,
) -> None:
    """Train models from several seeds and compare them on the test set.

    Finished runs are kept in the run folder. If it is stopped, run the same command again and
    it continues. At the end it writes the report there: report.html, report.md, results.json and
    CSV files. A model that fails stops no other; the report tells why, and the exit code is 1.
    """
    from fashionbench.config.execution import Execution
    from fashionbench.config.tuning import read_duration
    from fashionbench.experiments.comparison import run_study
    from fashionbench.experiments.planning import default_folder, plan

    given = {"parallel": parallel, "jobs": jobs and read_number(jobs), "on": on}
    seconds = read_duration(time_limit, "--for")
    execution = Execution.checked({**given, "seconds": seconds}, "compare")
    folder = out or default_folder(dataset)
    if dry_run:
        from fashionbench.experiments.cluster.elsewhere import slurm_script

        typer.echo(slurm_script(folder, on, device), nl=False)
        return
    with redirect_stdout(sys.stderr):  # a person's own model may print
        study = plan(
            split_names(models),
            split_names(recipes),
            parse_seeds(seeds),
            weights=weights,
            dataset=dataset,
            folder=folder,
            channels=channels,
            size=size,
            device=device,
            until=until,
            max_seeds=max_seeds,
            vary=vary,
            splits=splits,
            exclude=exclude,
            tune=tune,
            trials=trials,
            studies=studies,
            budget=budget,
            **settings,
        )
        result = run_study(study, folder, data_dir, typed_command(), execution, track)
    print_result(result, as_json)
    if result.study.left_out:
        raise typer.Exit(1)


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench report runs/fashion-mnist",
        "fashionbench report runs/fashion-mnist --figures pdf --style paper",
        "fashionbench report runs/fashion-mnist --table latex > table.tex",
    ),
)
def report(
    run_folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="the run folder of a comparison")
    ],
    figures: Annotated[
        str | None,
        typer.Option(
            metavar="FORM", help="write every figure into FOLDER/figures, as svg, png or pdf"
        ),
    ] = None,
    style: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="how --figures look: page, projector (large, light on dark) or paper (small)",
        ),
    ] = "page",
    table: Annotated[
        str | None,
        typer.Option(
            metavar="FORM", help="print the table alone, as latex (for booktabs), markdown or csv"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run folder's last comparison again and rewrite its report, without training.

    With --figures and --table it writes what you can take away for slides and papers.
    """
    from fashionbench.experiments.result import load_result
    from fashionbench.report.page import write_report

    if style != "page" and figures is None:
        raise UsageError("--style is for --figures; give --figures svg too.")
    result = load_result(run_folder)
    if figures is not None:
        from fashionbench.report.figure_files import save_figures

        written = save_figures(result, figures, style)
        typer.echo(f"{len(written)} figures: {printable(written[0].parent)}", err=True)
    if table is not None:
        typer.echo(result.table(table), nl=False)
        return
    write_report(result)
    print_result(result, as_json)


def print_result(result: "Result", as_json: bool) -> None:
    """Print a comparison as tables, warnings and the report's place, or as one JSON document."""
    if as_json:
        typer.echo(result.to_json(), nl=False)
        return
    from rich.console import Console

    from fashionbench.report.terminal import build_entry_table, build_pair_table
    from fashionbench.report.tuning_table import build_tuning_table

    console = Console(highlight=False, markup=False, emoji=False)  # names are as they are
    console.print(build_entry_table(result))
    if result.pairs:
        console.print()
        console.print(build_pair_table(result))
    if result.document.tuning:
        console.print()
        console.print(build_tuning_table(result.tuned_rows, result.document.tuning.order))
    if result.warnings:
        console.print()
    for warning in result.warnings:
        console.print(f"! {warning}")
    console.print(f"\nReport: {printable(result.folder / 'report.html')}", soft_wrap=True)
