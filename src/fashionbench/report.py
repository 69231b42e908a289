"""A result -> report.html, report.md, results.csv and results.json. Same records, same bytes.

The page is one file without scripts or anything from elsewhere; its plots are
inline SVG that takes the page's own ink, so that it is legible light and dark.
"""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fashionbench import plots
from fashionbench.errors import UsageError
from fashionbench.records import write_atomically
from fashionbench.result import Result
from fashionbench.stats import standard_error_of_accuracy

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

__all__ = ["FIGURES", "draw_figure", "notebook_html", "text_table", "write_report", "write_samples"]


class Plot(NamedTuple):
    """A figure of the report: its heading, what it shows in one sentence, and who draws it."""

    title: str
    sentence: str
    draw: Callable[..., "Figure"]


FIGURES = {
    "accuracies": Plot(
        "Accuracy of every run",
        "Each dot is one run from its own seed; models whose lines do not overlap differ by more "
        "than the luck of the seed.",
        plots.plot_accuracies,
    ),
    "curves": Plot(
        "Loss while training",
        "The line is the mean over seeds, the band reaches from the lowest to the highest; "
        "lower is better.",
        plots.plot_curves,
    ),
    "time": Plot(
        "Accuracy against time",
        "Up is more accurate, left is faster; each dot is one run, alone on the machine.",
        plots.plot_time,
    ),
    "classes": Plot(
        "Scores by class",
        "Recall is the part of a class that was found, precision the part of those called so that "
        "are right; both are 0 for a class that is never predicted.",
        plots.plot_class_scores,
    ),
    "hard": Plot(
        "The hardest images",
        "The test images that most runs get wrong, with the true class, what they were mostly "
        "taken for, and how many runs missed them.",
        plots.plot_hard_images,
    ),
}

DEAD_LOGITS = (
    "FashionMnistModelV1 has a ReLU on its logits. A class whose value before that ReLU is "
    "negative for nearly all images outputs 0, gets no gradient, and is never predicted again; "
    "each such class costs about ten points of accuracy. How many die is luck of the seed, so its "
    "score is a lottery. The model `mlp` is the same network without that ReLU."
)


def draw_figure(result: Result, name: str) -> "Figure":
    """One plot of the report. Raises UsageError for an unknown name."""
    if name not in FIGURES:
        raise UsageError(f"There is no figure {name!r}; there are {', '.join(FIGURES)}.")
    return FIGURES[name].draw(_named(result), result.test_set)


def _named(result: Result) -> list[tuple[str, Any]]:
    return [(result.name(entry), entry.runs) for entry in result.entries]


def _svg(figure: "Figure", name: str) -> str:
    """The figure as an SVG element whose ink is the page's own; the same bytes every time."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(plots.INK, "currentColor")
    # Figures share a page: their ids must differ.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    # A heading and a caption stand beside it; the drawing itself is one picture.
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{name}" ', svg, count=1)


def percent(summary: dict[str, Any], key: str = "mean") -> str:
    """A fraction of a summary as people read it; an en dash where there is none."""
    value = summary[key]
    return "–" if value is None else f"{100 * value:.2f}"


def number(value: float | None, digits: int = 3) -> str:
    """A number to `digits` decimals; an en dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def _headline(result: Result) -> str:
    """The comparison in one sentence, no surer than the numbers are."""
    entries = sorted(result.document["entries"], key=lambda e: -e["accuracy"]["mean"])
    first = entries[0]
    best = f"{first['label']} reaches {percent(first['accuracy'])} % of the test images"
    best += f", mean of {first['accuracy']['n']} runs"
    if len(entries) == 1:
        return f"{best}."
    by_mean = sorted(result.entries, key=lambda e: -sum(e.accuracies) / len(e.accuracies))
    names = {result.name(entry) for entry in by_mean[:2]}
    pair = next(p for p in result.document["pairs"] if {p["a"], p["b"]} == names)
    ahead = f"{100 * abs(pair['difference']):.2f} points ahead of {entries[1]['label']}"
    if pair["verdict"] == "cannot tell":
        return f"{best}, {ahead}; these seeds cannot tell whether that is more than luck."
    return f"{best}, {ahead}, which is more than luck of the seed (p = {pair['p_value']:.2g})."


def text_table(result: Result) -> "Table":
    """The comparison for a terminal of 80 columns."""
    from rich.table import Table

    document = result.document
    table = Table(
        title=f"{result.test_set.title} · test set · {document['device']}, "
        f"{document['threads']} threads",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("model")
    if len(result.study.recipes) > 1:
        table.add_column("recipe")
    for heading in ("accuracy %", "± 95 %", "sd", "loss", "train s", "parameters", "n"):
        table.add_column(heading, justify="right")
    for entry in document["entries"]:
        accuracy = entry["accuracy"]
        half = None if accuracy["low"] is None else accuracy["high"] - accuracy["mean"]
        recipe = [entry["recipe"]] if len(result.study.recipes) > 1 else []
        table.add_row(
            entry["label"],
            *recipe,
            percent(accuracy),
            "–" if half is None else f"{100 * half:.2f}",
            percent(accuracy, "sd"),
            number(entry["loss"]["mean"]),
            number(entry["train_seconds"]["mean"], 2),
            f"{entry['parameters']:,}",
            str(accuracy["n"]),
        )
    return table


def notebook_html(result: Result) -> str:
    """Table and two plots, for a notebook's output."""
    figures = [_svg(draw_figure(result, name), name) for name in ("accuracies", "curves")]
    return _render("table.html.j2", result) + "".join(figures)


def _render(template: str, result: Result, **values: Any) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fashionbench"),
        autoescape=lambda name: ".html" in (name or ""),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"percent": percent, "number": number}
    means = [run.scores.accuracy for entry in result.entries for run in entry.runs]
    first = result.entries[0].runs[0]
    return environment.get_template(template).render(
        result=result,
        document=result.document,
        title=result.test_set.title,
        headline=_headline(result),
        warnings=result.warnings,
        dead_logits=DEAD_LOGITS if _has_dead_v1(result) else "",
        test_images=len(result.test_set.labels),
        test_set_error=standard_error_of_accuracy(sum(means) / len(means), len(first.predicted)),
        environment=first.environment,
        **values,
    )


def _has_dead_v1(result: Result) -> bool:
    return any(run.dead_classes for e in result.entries if e.model == "v1" for run in e.runs)


def write_report(result: Result) -> list[Path]:
    """Write the four files into the run folder; returns where. Raises StoreError."""
    figures = [
        (plot.title, plot.sentence, _svg(draw_figure(result, name), name))
        for name, plot in FIGURES.items()
    ]
    confusions = [
        _svg(plots.plot_confusion(name, runs, result.test_set), f"confusion-{index}")
        for index, (name, runs) in enumerate(_named(result))
    ]
    contents = {
        "report.html": _render("report.html.j2", result, figures=figures, confusions=confusions),
        "report.md": _render("report.md.j2", result),
        "results.csv": _csv(result),
        "results.json": json.dumps(result.document, indent=2, allow_nan=False) + "\n",
    }
    written = []
    for name, text in contents.items():
        path = result.folder / name
        write_atomically(path, text.encode())
        written.append(path)
    return written


def _csv(result: Result) -> str:
    rows = []
    for entry in result.document["entries"]:
        about = {key: entry[key] for key in ("model", "recipe", "label", "parameters")}
        for run in entry["runs"]:
            dead = {"dead_classes": "; ".join(run["dead_classes"])}
            rows.append({"dataset": result.study.dataset} | about | run | dead)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def write_samples(name: str, root: Path | None, target: Path) -> None:
    """Write a PNG of ten training images a class. Raises StoreError if it cannot be written."""
    from fashionbench.data import DATASETS, load_arrays

    (images, labels), _ = load_arrays(name, root)
    entry = DATASETS[name]
    figure = plots.plot_samples(images, labels, entry.classes, entry.title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, facecolor="white")
    write_atomically(target, buffer.getvalue())
