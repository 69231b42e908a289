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
from fashionbench.report.entries import NamedRuns
from fashionbench.report.style import INK
from fashionbench.store.records import RunRecord, TestSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "TUNING_FIGURES", "draw_confusions", "draw_figure", "render_svg"]


class ReportFigure(NamedTuple):
    """A figure of the report: its heading, what it shows in one sentence, and who draws it."""

    title: str
    sentence: str
    draw: Callable[..., "Figure"]


def _plot_best_confusion(entries: NamedRuns, test_set: TestSet) -> "Figure":
    def accuracy(entry: tuple[str, Sequence[RunRecord]]) -> float:
        return sum(run.scores.accuracy for run in entry[1]) / len(entry[1])

    name, runs = max(entries, key=accuracy)
    return plots.plot_confusion(name, runs, test_set)


FIGURES = {
    "accuracies": ReportFigure(
        "Accuracy of every run",
        "Each dot is one run from its own seed, the line the 95 % interval of their mean. The "
        "table of differences above says whether two models differ.",
        plots.plot_accuracies,
    ),
    "curves": ReportFigure(
        "Loss while training",
        "The line is the mean over seeds, the band reaches from the lowest to the highest; "
        "lower is better. Runs that diverged are left out.",
        plots.plot_curves,
    ),
    "time": ReportFigure(
        "Accuracy against time",
        "Up is more accurate, left is faster; each dot is one run that was alone on the device, "
        "each diamond a model's mean.",
        plots.plot_time,
    ),
    "pareto": ReportFigure(
        "What accuracy costs",
        "Up is more accurate, left is cheaper; for every model off the line, another "
        "is more accurate and costs no more.",
        pareto.plot_pareto,
    ),
    "confusion": ReportFigure(
        "Which classes are confused",
        "Each row is a true class and each column a predicted one, in percent of the row, averaged "
        "over the runs; a perfect model has 100 on the diagonal.",
        _plot_best_confusion,
    ),
    "reliability": ReportFigure(
        "Is its confidence justified?",
        "On the diagonal a model is right as often as it says; below it, it is too sure of itself.",
        plots.plot_reliability,
    ),
    "classes": ReportFigure(
        "Scores by class",
        "Recall (filled) is the fraction of a class that was found, precision (hollow) that of its "
        "predictions that are right; both are 0 for a class that is never predicted.",
        plots.plot_class_scores,
    ),
    "hard": ReportFigure(
        "The hardest images",
        "The test images that most runs get wrong, with the true class, the class that was "
        "mostly predicted, and how many runs missed them.",
        sheets.plot_hard_images,
    ),
}

TUNING_FIGURES = {
    "search": ReportFigure(
        "What was tried",
        "Each small point is a trial from the first seed, each large hollow one the mean of a "
        "point's further seeds; a diamond is the recipe as it is, a cross a run that failed, a "
        "dashed line what a study chose. Shaded is the stable range: around the best, losses at "
        "most a tenth above the lowest.",
        tuning_plots.plot_search,
    ),
    "tuning-curves": ReportFigure(
        "What so many trials find",
        "The line is the median of the lowest validation loss of so many trials, the band holds "
        "it at every number of trials at once with 95 % confidence, whatever the losses are "
        "distributed like; where an end cannot be told it reaches to the edge of the plot.",
        tuning_plots.plot_tuning_curves,
    ),
}
"""Those of a comparison whose entries were tuned: drawn of its tuned rows."""

LINE = 24
"""Characters of a name beside a plot."""


def draw_figure(comparison: Comparison, name: str) -> "Figure":
    """Draw one of FIGURES or TUNING_FIGURES; "confusion" is that of the best model.

    Raises UsageError, with all names, for an unknown one.
    """
    rows = comparison.tuned_rows
    if rows and name in TUNING_FIGURES:
        return TUNING_FIGURES[name].draw(rows, comparison.test_set.title)
    if name not in FIGURES:
        names = ", ".join([*FIGURES, *(TUNING_FIGURES if rows else ())])
        raise UsageError(f"There is no figure {name!r}; there are {names}.")
    named = _name_runs(comparison)
    if name == "accuracies":
        summaries = [entry.summarize_accuracy() for entry in comparison.entries]
        return plots.plot_accuracies(named, comparison.test_set, summaries)
    return FIGURES[name].draw(named, comparison.test_set)


def draw_confusions(comparison: Comparison) -> "list[tuple[str, Figure]]":
    """Draw the confusion of every entry, each beside the entry's name."""
    return [
        (name, plots.plot_confusion(name, runs, comparison.test_set))
        for name, runs in _name_runs(comparison)
    ]


def _name_runs(comparison: Comparison) -> NamedRuns:
    """Name the runs of each entry as a plot has room for: in short lines, without folders."""
    entries = comparison.entries
    names = [comparison.name(entry) for entry in entries]
    short = [re.sub(r"[^:= ]*/(?=[^:/ ]+\.py:)|(?<=weights=)[^:]*/", "", name) for name in names]
    names = short if len(set(short)) == len(names) else names
    return [(_fold(name), entry.runs) for name, entry in zip(names, entries, strict=True)]


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
