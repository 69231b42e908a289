"""The report's figures: their names, headings and sentences, and who draws each."""

import html
import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fashionbench.errors import UsageError
from fashionbench.report import pareto, plots, sheets, tuning_plots
from fashionbench.report.comparison import Comparison
from fashionbench.report.entries import Entry, NamedRuns
from fashionbench.report.flips import find_flips
from fashionbench.report.gains import TunedRow
from fashionbench.report.style import IN_FRONT, INK
from fashionbench.store.records import TestSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "FIGURES",
    "TUNING_FIGURES",
    "draw_confusion",
    "draw_confusions",
    "draw_figure",
    "list_figures",
    "render_svg",
]


class ReportFigure(NamedTuple):
    """A figure of the report: its heading, what it shows in one sentence, and who draws it."""

    title: str
    sentence: str
    draw: Callable[[Comparison, Sequence[Entry]], "Figure"]
    """Given the entries that it is to show, the most accurate first."""


class TuningFigure(NamedTuple):
    """A figure of what was tuned."""

    title: str
    sentence: str
    draw: Callable[[Sequence[TunedRow], str], "Figure"]


def _of_runs(plot: Callable[[NamedRuns, TestSet], "Figure"]) -> Callable[..., "Figure"]:
    return lambda comparison, entries: plot(_name_runs(comparison, entries), comparison.test_set)


def _of_means(
    plot: Callable[[NamedRuns, TestSet, Sequence[float]], "Figure"],
) -> Callable[..., "Figure"]:
    return lambda comparison, entries: plot(
        _name_runs(comparison, entries),
        comparison.test_set,
        [entry.mean_accuracy for entry in entries],
    )


def _plot_accuracies(comparison: Comparison, entries: Sequence[Entry]) -> "Figure":
    summaries = [entry.summarize_accuracy() for entry in entries]
    return plots.plot_accuracies(_name_runs(comparison, entries), comparison.test_set, summaries)


def _plot_first_confusion(comparison: Comparison, entries: Sequence[Entry]) -> "Figure":
    return draw_confusion(comparison, entries[0])


def _plot_differences(comparison: Comparison, _entries: Sequence[Entry]) -> "Figure":
    smallest = comparison.document.smallest_difference
    return plots.plot_differences(comparison.shown_pairs, smallest, comparison.test_set.title)


def _plot_flips(comparison: Comparison, _entries: Sequence[Entry]) -> "Figure":
    flips = find_flips(comparison)
    if flips is None:
        raise UsageError("Images flip between two models; this comparison has one.")
    return sheets.plot_flips(flips, comparison.test_set)


FIGURES = {
    "differences": ReportFigure(
        "Differences between models",
        "The dot is the first minus the second in percentage points, the line the interval that "
        "the verdict is read from: where it crosses zero, the runs do not say which is better.",
        _plot_differences,
    ),
    "accuracies": ReportFigure(
        "Accuracy of every run",
        "Each dot is one run from its own seed, the diamond their mean, the line its 95 % "
        "interval. Where there is room, “no Shirt” marks a run that never predicts that class.",
        _plot_accuracies,
    ),
    "curves": ReportFigure(
        "Training loss",
        "The line is the mean over seeds, the band reaches from the lowest to the highest; "
        "lower is better. Runs that diverged are left out.",
        _of_runs(plots.plot_curves),
    ),
    "time": ReportFigure(
        "Accuracy against training time",
        "Up is more accurate, left is faster. Each dot is one run that had the device to itself; "
        "the diamond is the mean accuracy of all runs at the median time, as in the table.",
        _of_means(plots.plot_time),
    ),
    "pareto": ReportFigure(
        "What accuracy costs",
        "Models on the line are the best you can get for their cost; for every other model, some "
        "model is at least as cheap and more accurate.",
        _of_means(pareto.plot_pareto),
    ),
    "confusion": ReportFigure(
        "Confusion matrices",
        "Each row is a true class and each column a predicted one, in percent of the row, averaged "
        "over the runs; a perfect model has 100 on the diagonal.",
        _plot_first_confusion,
    ),
    "reliability": ReportFigure(
        "Calibration",
        "On the line at zero a model is right as often as it says; below it, it is too sure of "
        "itself.",
        _of_runs(plots.plot_reliability),
    ),
    "classes": ReportFigure(
        "Recall and precision by class",
        "Recall (filled) is the fraction of a class that was found. Precision (hollow): of the "
        "images called this class, the share that really are. Both are 0 for a class that is "
        "never predicted.",
        _of_runs(plots.plot_class_scores),
    ),
    "flips": ReportFigure(
        "Images that flip",
        "The most accurate model and the next: test images that most runs of one classify "
        "correctly and most runs of the other do not. Above each image stands in what percentage "
        "of its runs the first is right, then the second.",
        _plot_flips,
    ),
    "hard": ReportFigure(
        "The hardest images",
        "The test images that most runs get wrong; of these, the ones with the highest loss. Above "
        "each stand its true class, the class that was mostly predicted instead, and how many of "
        "the runs missed it.",
        _of_runs(sheets.plot_hard_images),
    ),
}

TUNING_FIGURES = {
    "search": TuningFigure(
        "What was tried",
        "Each small point is a trial from the first seed, each large hollow one the mean of a "
        "point's further seeds; a diamond is the recipe as it is, a cross a run that failed, a "
        "dashed line what a study chose. Shaded is the stable range: around the best, losses at "
        "most a tenth above the lowest.",
        tuning_plots.plot_search,
    ),
    "tuning-curves": TuningFigure(
        "What more trials find",
        "The line is the median of the lowest validation loss that this many trials find. The band "
        "holds it for all numbers of trials at once, with 95 % confidence, whatever the losses are "
        "distributed like; where an end is unknown it reaches to the edge of the plot. The dashed "
        "line marks the trials of one study.",
        tuning_plots.plot_tuning_curves,
    ),
}
"""The figures of a comparison whose entries were tuned, drawn from its tuned rows."""

LINE = 24
"""Characters of a name beside a plot."""


def draw_figure(comparison: Comparison, name: str, model: str | type | None = None) -> "Figure":
    """Draw one of FIGURES or TUNING_FIGURES, of all models or of one.

    "confusion" is that of the most accurate. Raises UsageError, with all names, for an unknown
    figure or model.
    """
    rows = comparison.tuned_rows
    if rows and name in TUNING_FIGURES:
        return TUNING_FIGURES[name].draw(rows, comparison.test_set.title)
    if name not in FIGURES:
        names = ", ".join([*FIGURES, *(TUNING_FIGURES if rows else ())])
        raise UsageError(f"There is no figure {name!r}; there are {names}.")
    if name == "differences" and not comparison.pairs:
        raise UsageError("Differences need two models; this comparison has one.")
    entries = [row.entry for row in comparison.ranking]
    if model is not None:
        wanted = [id(entry) for entry in comparison.find_model(model)]
        entries = [entry for entry in entries if id(entry) in wanted]
    return FIGURES[name].draw(comparison, entries)


def list_figures(comparison: Comparison) -> list[str]:
    """List the figures of a comparison: some need two models."""
    needed = {"differences": bool(comparison.pairs), "flips": len(comparison.entries) > 1}
    return [name for name in FIGURES if needed.get(name, True)]


def draw_confusion(comparison: Comparison, entry: Entry) -> "Figure":
    """Draw the confusion of an entry."""
    return plots.plot_confusion(comparison.name(entry), entry.runs, comparison.test_set)


def draw_confusions(comparison: Comparison) -> "list[tuple[str, Figure]]":
    """Draw the confusion of the entries in front, each beside the entry's name."""
    return [
        (comparison.name(row.entry), draw_confusion(comparison, row.entry))
        for row in comparison.ranking[:IN_FRONT]
    ]


def _name_runs(comparison: Comparison, entries: Sequence[Entry]) -> NamedRuns:
    """Name the runs of each entry as a plot has room for."""
    return [(_fold(comparison.name(entry)), entry.runs) for entry in entries]


def _fold(name: str) -> str:
    """Break a name into lines of at most about LINE characters, where its parts end."""
    lines = [""]
    for part in re.findall(r"[^:/ ]+[:/ ]?|[:/ ]", name):
        if lines[-1] and len(lines[-1] + part) > LINE:
            lines.append("")
        lines[-1] += part
    return "\n".join(map(str.strip, lines))


def render_svg(figure: "Figure", name: str, label: str) -> str:
    """Return the figure as an SVG element whose ink is the page's own; the same bytes every time.

    `name` is part of its ids, `label` is read aloud in its place.
    """
    from matplotlib import rc_context

    buffer = io.StringIO()
    with (
        rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}),
        # What matplotlib lacks a letter or room for is text in the SVG, which the browser sets.
        warnings.catch_warnings(action="ignore", category=UserWarning),
    ):
        figure.savefig(
            buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    # Figures share a page: their ids must differ.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1)
