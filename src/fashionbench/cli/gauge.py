"""The commands around a comparison: `plan` looks ahead, `check` compares it with an older one."""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
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
    ModelsOption,
    RecipesOption,
    SeedsOption,
    SizeOption,
    WeightsOption,
    format_examples,
    parse_seeds,
    split_names,
)
from fashionbench.errors import UsageError

__all__ = ["app"]

app = typer.Typer()


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench plan --models v0,v2 --seeds 5",
        "fashionbench plan --models v0,mlp --seeds 10 --difference 0.005",
    ),
)
@with_recipe_flags
def plan(
    models: ModelsOption = "v0,v1,v2",
    recipes: RecipesOption = "default",
    seeds: SeedsOption = "5",
    difference: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="also tell how many seeds show a difference of accuracies as large as this",
        ),
    ] = None,
    sd: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="the standard deviation of differences between two runs of one seed",
            show_default="that of recorded runs, else 0.015",
        ),
    ] = None,
    weights: WeightsOption = None,
    dataset: DatasetOption = "fashion-mnist",
    data_dir: DataOption = None,
    channels: ChannelsOption = None,
    size: SizeOption = None,
    device: DeviceOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="the run folder, whose finished runs cost nothing more",
            show_default="runs/DATASET",
        ),
    ] = None,
    as_json: JsonOption = False,
    **settings: str | None,
) -> None:
    """Say what a comparison could show, and what it would cost, before any of it runs.

    That is the smallest difference that the seeds can show, the time, and the number of looks at
    the test set. The time is that of recorded runs, or an estimate from a few steps. This command
    itself does not look at the test set.
    """
    from fashionbench.experiments.outlook import look_ahead
    from fashionbench.experiments.planning import default_folder
    from fashionbench.experiments.planning import plan as plan_study

    for name, value in (("difference", difference), ("sd", sd)):
        if value is not None and not 0 < value < 1:
            raise UsageError(f"--{name} is {value}, but should be between 0 and 1, such as 0.005.")
    folder = out or default_folder(dataset)
    with redirect_stdout(sys.stderr):  # a person's own model may print
        study = plan_study(
            split_names(models),
            split_names(recipes),
            parse_seeds(seeds),
            weights=weights,
            dataset=dataset,
            folder=folder,
            channels=channels,
            size=size,
            device=device,
            **settings,  # type: ignore[arg-type]
        )
        found = look_ahead(study, folder, data_dir, difference=difference, sd=sd)
    if as_json:
        typer.echo(json.dumps(asdict(found) | {"looks": found.looks}, indent=2))
        return
    typer.echo(str(found))


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench check runs/now --baseline runs/before",
        "fashionbench check runs/now --baseline runs/before --margin 0.002 --json",
    ),
)
def check(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="the run folder of a comparison")],
    baseline: Annotated[
        Path, typer.Option(metavar="RUN", help="the run folder of an older comparison")
    ],
    margin: Annotated[
        float,
        typer.Option(
            metavar="NUMBER", help="the smallest loss of accuracy that would be too large"
        ),
    ] = 0.005,
    as_json: JsonOption = False,
) -> None:
    """Check that models have not become less accurate than in an older comparison.

    Each model is compared with itself over the seeds of both. Exit code 0: a loss as large as the
    margin is excluded; 1: the loss is larger; 3: these seeds cannot tell; 2: the two cannot be
    compared, as with other data or another protocol.
    """
    from fashionbench.report.comparison import Comparison
    from fashionbench.report.regression import OUTCOMES, check_against, worst_outcome

    if not 0 < margin < 1:
        raise UsageError(f"--margin is {margin}, but should be between 0 and 1, such as 0.005.")
    checked = check_against(Comparison.load(folder), Comparison.load(baseline), margin)
    outcome = worst_outcome(checked)
    if as_json:
        models = [asdict(each) for each in checked]
        typer.echo(json.dumps({"outcome": outcome, "margin": margin, "models": models}, indent=2))
    else:
        for each in checked:
            typer.echo(str(each))
    raise typer.Exit(OUTCOMES[outcome])
