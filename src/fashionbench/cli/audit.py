"""The command that asks whether a data set can be trusted."""

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
    parse_seeds,
    split_names,
    typed_command,
)
from fashionbench.core.names import printable
from fashionbench.experiments.audit import JUDGES

__all__ = ["app"]

app = typer.Typer()


@app.command(
    cls=Command,
    epilog=format_examples(
        "fashionbench audit",
        "fashionbench audit --dataset my_pictures/ --folds 5",
        "fashionbench audit --model vgg:width=16 --folds 12",
    ),
)
def audit(
    dataset: DatasetOption = "fashion-mnist",
    data_dir: DataOption = None,
    model: Annotated[
        str, typer.Option(metavar="A,B,...", help="the models that judge labels, as in compare")
    ] = ",".join(JUDGES),
    recipe: Annotated[
        str, typer.Option(metavar="NAME", help="how they are trained, or a .toml file's path")
    ] = "judge",
    folds: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="deal the training images into this many parts, each judged by models that are "
            "trained on the others; 0 finds doubles alone",
        ),
    ] = 10,
    seeds: Annotated[
        str,
        typer.Option(metavar="NUMBER|A,B,...", help="how many seeds a model is trained from"),
    ] = "2",
    deals: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="train the first model on this many splits dealt anew, to see where the official "
            "one lies among them; 0 leaves that to nearest neighbours alone",
        ),
    ] = 20,
    split: Annotated[
        str,
        typer.Option(
            metavar="official|grouped",
            help="grouped also writes split.csv, a split that keeps doubles together",
        ),
    ] = "official",
    device: DeviceOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="the folder to write to", show_default="runs/DATASET/audit"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find what is doubtful about a data set: images that are there twice, labels, and its split.

    Every image is compared with every other, also mirrored and moved by up to two pixels. Labels
    are judged by models that never saw the image. The split into training and test images is
    compared with splits dealt anew. The folder gets audit.html, a page with pictures, and
    audit.json. If it is stopped, run the same command again and it continues.
    """
    from fashionbench.experiments.audit.asked import Asked
    from fashionbench.experiments.audit.auditing import default_audit_folder, run_audit
    from fashionbench.experiments.planning import plan
    from fashionbench.report.audit.audit_page import say_grouped, summarize_audit

    asked = Asked.checked({"folds": folds, "deals": deals, "split": split}, "audit")
    with redirect_stdout(sys.stderr):  # a person's own model may print
        study = plan(
            split_names(model),
            [recipe],
            parse_seeds(seeds),
            dataset=dataset,
            device=device,
        )
        folder = out or default_audit_folder(dataset)
        found = run_audit(study, asked, folder, data_dir, typed_command())
    if as_json:
        typer.echo(found.to_json(), nl=False)
        return
    for sentence in summarize_audit(found.document):
        typer.echo(sentence)
    typer.echo(f"\nPage: {printable(found.folder / 'audit.html')}")
    if found.document.grouped:
        typer.echo(f"Split: {printable(found.folder / 'split.csv')}")
        typer.echo(say_grouped(found.document.grouped))
