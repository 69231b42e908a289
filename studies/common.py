"""What the studies share: flags, and pages that say how to repeat them.

A study is a script: it asks a question of many runs and writes its page, docs/NAME.md, with the
figures behind it in docs/results/NAME.json and a plot. Its runs are kept in runs/NAME: stopped and
started again, it goes on.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from fashionbench.report.numbers import format_percent, format_points, pluralize
from fashionbench.training.devices import describe_device

DOCS = Path(__file__).parent.parent / "docs"
VALIDATION_IMAGES = 5000


def arguments(description: str | None, name: str) -> argparse.ArgumentParser:
    """Return the flags that every study has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of Fashion-MNIST, as for fashionbench")
    parser.add_argument("--out", type=Path, default=Path("runs") / name, help="where runs are kept")
    return parser


def percent(summary: Mapping[str, Any]) -> str:
    """Write a mean of fractions and its 95 % interval in percent."""
    mean = format_percent(summary["mean"])
    if summary["low"] is None:  # of one run
        return mean
    return f"{mean} ({format_percent(summary['low'])} to {format_percent(summary['high'])})"


def points(summary: Mapping[str, Any]) -> str:
    """Write a mean difference of accuracies and its 95 % interval in points, with their signs."""
    mean, low, high = (format_points(summary[key]) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def enumerate_words(words: Sequence[str]) -> str:
    """Join words by commas and an "and"."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if words[1:] else words[0]


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows of the same columns as a table in Markdown."""
    lines = [rows[0].keys(), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def how(document: Mapping[str, Any]) -> str:
    """Say by which command, machine and versions a study was made."""
    given = ["DIR" if Path(argument).is_dir() else argument for argument in sys.argv[1:]]
    command = shlex.join(["python", f"studies/{Path(sys.argv[0]).name}", *given])
    on = [document["processor"], pluralize(document["threads"], "thread")]
    if document["device"] != "cpu":
        on.insert(0, describe_device(torch.device(document["device"])))
    return f"Made by `{command}` on {', '.join(on)}, torch {document['versions']['torch']}."


def write_page(
    name: str, text: str, figures: Mapping[str, object], plot: Figure, *, width: int = 100
) -> None:
    """Write docs/NAME.md, docs/results/NAME.json and docs/results/NAME.png."""
    (DOCS / f"{name}.md").write_text(text, "utf-8")
    (DOCS / "results" / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    plot.savefig(DOCS / "results" / f"{name}.png", dpi=width, facecolor="white")
    print(f"docs/{name}.md")
