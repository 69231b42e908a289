"""A result -> report.html, report.md, results.csv and results.json. Same records, same bytes.

The page is one file without scripts or anything from elsewhere; its plots are
inline SVG that takes the page's own ink, so that it is legible light and dark.
"""

import csv
import html
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fashionbench.core.files import write_atomically
from fashionbench.errors import UsageError
from fashionbench.report import plots
from fashionbench.report.result import Result
from fashionbench.report.terminal import (
    counted,
    interval,
    number,
    percent,
    points,
    seconds_range,
    si,
    times,
)
from fashionbench.store.records import TestSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "draw_figure", "notebook_html", "write_report"]


class Plot(NamedTuple):
    """A figure of the report: its heading, what it shows in one sentence, and who draws it."""

    title: str
    sentence: str
    draw: Callable[..., "Figure"]


def _plot_best_confusion(entries: plots.Named, test_set: TestSet) -> "Figure":
    def accuracy(entry: tuple[str, plots.Runs]) -> float:
        return sum(run.scores.accuracy for run in entry[1]) / len(entry[1])

    name, runs = max(entries, key=accuracy)
    return plots.plot_confusion(name, runs, test_set)


FIGURES = {
    "accuracies": Plot(
        "Accuracy of every run",
        "Each dot is one run from its own seed, the line the 95 % interval of their mean. Whether "
        "two models differ is said above, under the differences.",
        plots.plot_accuracies,
    ),
    "curves": Plot(
        "Loss while training",
        "The line is the mean over seeds, the band reaches from the lowest to the highest; "
        "lower is better. Runs that diverged are left out.",
        plots.plot_curves,
    ),
    "time": Plot(
        "Accuracy against time",
        "Up is more accurate, left is faster; each dot is one run that was alone on the device, "
        "each diamond a model's mean.",
        plots.plot_time,
    ),
    "pareto": Plot(
        "What accuracy costs",
        "Up is more accurate, left is cheaper; models on the line are the best for their price, "
        "of every other there is one that is better and costs no more.",
        plots.plot_pareto,
    ),
    "confusion": Plot(
        "What is taken for what",
        "Each row is a true class, each column what its images were called, in percent of the row, "
        "averaged over the runs; a perfect model has 100 down the diagonal.",
        _plot_best_confusion,
    ),
    "reliability": Plot(
        "Can its confidence be believed?",
        "On the diagonal a model is right as often as it says; below it, it is too sure of itself.",
        plots.plot_reliability,
    ),
    "classes": Plot(
        "Scores by class",
        "Recall (filled) is the part of a class that was found, precision (hollow) the part of "
        "those called so that are right; both are 0 for a class that is never predicted.",
        plots.plot_class_scores,
    ),
    "hard": Plot(
        "The hardest images",
        "The test images that most runs get wrong, with the true class, what they were mostly "
        "taken for, and how many runs missed them.",
        plots.plot_hard_images,
    ),
}

LINE = 24
"""Characters of a name beside a plot."""

DEAD_LOGITS = (
    "FashionMnistModelV1 has a ReLU on its logits. A logit that is negative for all images of its "
    "own class outputs 0, gets no gradient from them and does not come back; each class lost so "
    "costs about eight points of accuracy. How many are lost is luck of the seed, so its "
    "score is a lottery. The model mlp is the same network without that ReLU."
)


def draw_figure(result: Result, name: str) -> "Figure":
    """One plot of the report; "confusion" is that of the best. Raises UsageError for others."""
    if name not in FIGURES:
        raise UsageError(f"There is no figure {name!r}; there are {', '.join(FIGURES)}.")
    return FIGURES[name].draw(_named(result), result.test_set)


def _named(result: Result) -> list[tuple[str, Any]]:
    """The entries under names that a plot has room for: on short lines, files without folders."""
    names = [result.name(entry) for entry in result.entries]
    short = [re.sub(r"[^:= ]*/(?=[^:/ ]+\.py:)|(?<=weights=)[^:]*/", "", name) for name in names]
    names = short if len(set(short)) == len(names) else names
    return [(_folded(name), entry.runs) for name, entry in zip(names, result.entries, strict=True)]


def _folded(name: str) -> str:
    """A name in lines of at most about LINE characters, broken where its parts end."""
    lines = [""]
    for part in re.findall(r"[^:/ ]+[:/ ]?|[:/ ]", name):
        if lines[-1] and len(lines[-1] + part) > LINE:
            lines.append("")
        lines[-1] += part
    return "\n".join(map(str.strip, lines))


def _svg(figure: "Figure", name: str, label: str) -> str:
    """The figure as an SVG element whose ink is the page's own; the same bytes every time.

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
    svg = svg[svg.index("<svg") :].replace(plots.INK, "currentColor")
    # Figures share a page: their ids must differ.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1)


def _headline(result: Result) -> str:
    """The comparison in a sentence or two, no surer than the numbers are."""
    rows = zip(result.entries, result.document["entries"], strict=True)
    (best, about), *others = sorted(rows, key=lambda row: -row[1]["accuracy"]["mean"])
    several = len(result.study.recipes) > 1
    name = f"{best.label} by recipe {result.short_recipe(best)}" if several else best.label
    accuracy = about["accuracy"]
    runs = "one seed" if accuracy["n"] == 1 else f"mean of {accuracy['n']} seeds"
    said = f"{name} gets {percent(accuracy)} % of the test images right ({runs})"
    if about["accuracy_one_by_one"]["n"]:
        alone = percent(about["accuracy_one_by_one"])
        said += f", but {alone} % when they are shown one at a time"
    second = others[0][0] if others else best
    names = {result.name(best), result.name(second)}
    pair = next((pair for pair in result.pairs if {pair.a, pair.b} == names), None)
    if pair is None:  # alone, or stopped before the two had a seed in common
        return f"{said}."
    found = pair.found
    other = [second.label] if second.label != best.label or not several else []
    other += [f"by {result.short_recipe(second)}"] if several else []
    said += f", {100 * abs(found.difference):.2f} points more than {' '.join(other)}"
    if found.p_value is None:
        return f"{said}; these runs cannot tell whether that is more than luck."
    sign = 100 if pair.first is best else -100
    ends = sorted((sign * found.low, sign * found.high))
    between = f"95 % interval of the difference {ends[0]:z.2f} to {ends[1]:z.2f}"
    if pair.verdict.word in ("better", "worse"):
        place = str(pair.verdict).removeprefix(pair.verdict.word)
        return (
            f"{said}, which is more than luck of the seed{place} "
            f"({between}; p = {found.p_value:.2g})."
        )
    return f"{said}; the verdict: {pair.verdict} ({between})."


def notebook_html(result: Result) -> str:
    """Table and two plots, for a notebook's output."""
    figures = [
        _svg(draw_figure(result, name), name, FIGURES[name].title)
        for name in ("accuracies", "curves")
    ]
    return _render("table.html.j2", result) + "".join(figures)


def _render(template: str, result: Result, **values: Any) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fashionbench.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "percent": percent,
        "number": number,
        "counted": counted,
        "interval": interval,
        "points": points,
        "times": times,
        "seconds_range": seconds_range,
        "si": si,
    }
    return environment.get_template(template).render(
        result=result,
        document=result.document,
        title=result.test_set.title,
        headline=_headline(result),
        warnings=result.warnings,
        dead_logits=DEAD_LOGITS if _has_dead_v1(result) else "",
        several_recipes=len(result.study.recipes) > 1,
        test_images=len(result.test_set.labels),
        test_set_error=max(entry["test_set_error"] for entry in result.document["entries"]),
        environment=result.entries[0].runs[0].environment,
        **values,
    )


def _has_dead_v1(result: Result) -> bool:
    return any(run.dead_classes for e in result.entries if e.model == "v1" for run in e.runs)


def write_report(result: Result) -> list[Path]:
    """Write the four files into the run folder; returns where. Raises StoreError.

    results.json comes last: where it says what the result says, all four do.
    """
    drawn = {
        name: [_svg(draw_figure(result, name), name, plot.title)]
        for name, plot in FIGURES.items()
        if name != "confusion"
    }
    drawn["confusion"] = [
        _svg(
            plots.plot_confusion(name, runs, result.test_set),
            f"confusion-{index}",
            f"{name}: what is taken for what",
        )
        for index, (name, runs) in enumerate(_named(result))
    ]
    figures = [(plot.title, plot.sentence, drawn[name]) for name, plot in FIGURES.items()]
    contents = {
        "report.html": _render(
            "report.html.j2", result, figures=figures, chances=_chances_of_winning(result)
        ),
        "report.md": _render("report.md.j2", result),
        "results.csv": _csv(result),
        "results.json": result.to_json(),
    }
    written = []
    for name, text in contents.items():
        path = result.folder / name
        write_atomically(path, text.encode())
        written.append(path)
    return written


def _chances_of_winning(result: Result) -> dict[str, dict[str, float]]:
    """P(A > B) of every entry against every other; empty where no pair has seeds enough."""
    chances: dict[str, dict[str, float]] = {}
    for pair in result.pairs:
        chance = pair.found.probability
        if chance is not None:
            chances.setdefault(pair.a, {})[pair.b] = chance
            chances.setdefault(pair.b, {})[pair.a] = 1 - chance
    return chances


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
