"""What tuning gave in tables: three rows an entry, and what each was given for it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from fashionbench.config.recipe import format_value
from fashionbench.config.search_space import Range
from fashionbench.config.tuning import FURTHER_SEEDS, Tuning
from fashionbench.report.gains import TunedRow
from fashionbench.report.numbers import (
    format_interval,
    format_number,
    format_percent,
    format_points,
)
from fashionbench.report.tuned import AS_IT_IS, TUNED
from fashionbench.stats.studies import Deviations, split_spread
from fashionbench.stats.tuning_curve import CurvePoint

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "Line",
    "build_tuning_table",
    "describe_protocol",
    "list_budgets",
    "list_gains",
    "list_milestones",
]

MILESTONES = (3, 10, 30)
"""Numbers of trials at which the tuning curves are read."""


class Line(NamedTuple):
    """A row of the table: an entry as it is, tuned, or the gain."""

    name: str
    row: str
    value: str
    """Accuracy in percent, of a gain percentage points."""
    interval: str
    runs: str
    said: str
    """The tuned settings, of a gain what follows."""


def list_gains(rows: Sequence[TunedRow]) -> list[Line]:
    """List three lines for each entry: as it is, tuned, gain."""
    return [line for row in rows for line in _list_gain(row)]


def _list_gain(row: TunedRow) -> list[Line]:
    recipe, tuning = row.how.recipe, row.how.tuning
    defaults = [
        f"{setting.replace('_', ' ')} {format_value(getattr(recipe, setting))}"
        for setting in tuning.ranges
    ]
    chosen = row.how.describe_choices()
    if row.how.edges:
        chosen += "; at the edge of what was searched"
    lines = []
    for name, entry, said in (
        (AS_IT_IS, row.as_it_is, ", ".join(defaults)),
        (TUNED, row.tuned, chosen),
    ):
        found = entry.summarize_accuracy()
        interval = format_interval(found)
        lines.append(Line(row.name, name, format_percent(found.mean), interval, str(found.n), said))
    gain = row.summarize().gain
    return [
        *lines,
        Line(row.name, "gain", format_points(gain.mean), format_interval(gain), "", gain.in_words),
    ]


def build_tuning_table(rows: Sequence[TunedRow], order: str) -> "Table":
    """Build the table of three rows an entry, for 80 columns, above a sentence on their order."""
    from rich.table import Table

    table = Table(
        title="What tuning gave",
        title_justify="left",
        caption=order,
        caption_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("model", overflow="fold")
    table.add_column("")
    table.add_column("% or points", justify="right")
    table.add_column("95 %", justify="right", no_wrap=True)
    table.add_column("settings, verdict")
    for line in list_gains(rows):
        name = line.name if line.row == AS_IT_IS else ""
        table.add_row(name, line.row, line.value, line.interval, line.said)
    return table


def list_budgets(rows: Sequence[TunedRow]) -> list[dict[str, str]]:
    """List for each entry, by heading, what it was given and how its studies turned out."""
    return [_list_budget(row) for row in rows]


def _list_budget(row: TunedRow) -> dict[str, str]:
    how, summary = row.how, row.summarize()
    budget = {
        "points tried": str(summary.trials),
        "training runs": str(summary.runs),
        "epochs": f"{summary.epochs:,}",
        "seconds": format_number(summary.seconds, 1),
    }
    if how.tuning.studies > 1:
        budget |= _format_spread(split_spread(row.tuned.accuracies, row.tuned.studies))
    if len(how.tuning.ranges) == 1:
        (setting,) = how.tuning.ranges
        stable = how.stable
        budget[f"stable {setting.replace('_', ' ')}"] = (
            "–" if stable is None else f"{stable[0]:.3g} to {stable[1]:.3g}"
        )
    return budget


def list_milestones(rows: Sequence[TunedRow]) -> list[dict[str, str]]:
    """List for each entry, by heading, the lowest validation loss of 3, 10 and 30 trials."""
    deepest = max(len(row.how.curve) for row in rows)
    return [
        {
            f"best of {trials}": _format_curve_point(
                next((point for point in row.how.curve if point.trials == trials), None)
            )
            for trials in MILESTONES
            if trials <= deepest
        }
        for row in rows
    ]


def _format_spread(found: Deviations) -> dict[str, str]:
    return {
        "sd between studies": format_percent(found.between_studies),
        "sd between seeds": format_percent(found.between_seeds),
    }


def _format_curve_point(point: CurvePoint | None) -> str:
    """Write the median of the best of so many trials, with the ends of its band that are known."""
    if point is None:
        return "–"
    low, high = (
        f"{end:.3f}" if abs(end) < float("inf") else "?" for end in (point.low, point.high)
    )
    return f"{point.median:.3f} ({low} to {high})"


def describe_protocol(tuning: Tuning) -> list[str]:
    """Say how the tuned rows came by their settings, a paragraph each."""
    names = " and ".join(setting.replace("_", " ") for setting in tuning.ranges)
    searched = "; ".join(map(_describe_range, tuning.ranges.items()))
    points = "points" if tuning.budget is None else "points, as many as its budget paid for,"
    said = [
        " ".join(
            (
                f"Every entry tried the same {points} of the same space ({searched}), from the",
                "same seeds, for the full length of training. The best quarter was trained from",
                f"{FURTHER_SEEDS} more seeds, and these alone chose the {names}, by the loss on",
                "images held out from training; a run that failed counts as the worst. The recipe",
                "was left only for a gain of more than one standard error. The test set was not",
                "read. The runs in the table have other seeds and all training images.",
            )
        )
    ]
    if tuning.widened:
        sides = ", ".join(f"{name.replace('_', ' ')} ({side})" for name, side in tuning.widened)
        said.append(f"A choice lay at the edge, so the space was widened for every entry: {sides}.")
    said.append(_describe_studies(tuning))
    return said


def _describe_range(searched: tuple[str, Range]) -> str:
    setting, found = searched
    ends = " to ".join(
        f"1/{1 / end:g}" if found.relative and end < 1 and (1 / end).is_integer() else f"{end:g}"
        for end in (found.low, found.high)
    )
    times = " times the recipe’s" if found.relative else ""
    evenly = "evenly on a logarithmic scale" if found.scale == "log" else "evenly"
    return f"{setting.replace('_', ' ')} from {ends}{times}, {evenly}"


def _describe_studies(tuning: Tuning) -> str:
    if tuning.studies == 1:
        return (
            "There is one study, so what is said of tuned rows holds given these settings: the "
            "luck of having chosen them is in no interval. --studies 3 would include it."
        )
    return (
        f"{tuning.studies} studies chose independently, each among "
        f"{tuning.trials // tuning.studies} points of its own, tried from seeds of its own. The "
        "runs are shared out over their choices, so the intervals of tuned rows include the luck "
        "of choosing."
    )
