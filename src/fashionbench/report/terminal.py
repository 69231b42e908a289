"""A result as text: the terminal's table, and how numbers are written everywhere."""

from collections.abc import Callable
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from fashionbench.report.result import Result

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "half_interval",
    "interval",
    "number",
    "pair_table",
    "percent",
    "points",
    "seconds",
    "seconds_range",
    "si",
    "text_table",
    "times",
]


MANY_PAIRS = 10


def percent(summary: dict[str, Any], key: str = "mean") -> str:
    """A fraction of a summary as people read it; an en dash where there is none."""
    value = summary[key]
    return "–" if value is None else f"{100 * value:z.2f}"


def points(difference: float) -> str:
    """A difference of accuracies in percentage points, with its sign."""
    return f"{100 * difference:+z.2f}"


def number(value: float | None, digits: int = 3) -> str:
    """A number to `digits` decimals; an en dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(summary: dict[str, Any]) -> str:
    """The 95 % interval in percent or points; an en dash where one seed cannot give it."""
    if summary["low"] is None:
        return "–"
    return f"{percent(summary, 'low')} to {percent(summary, 'high')}"


def seconds(entry: dict[str, Any]) -> str:
    """Median training time; after it the number of runs behind it, where that is not all."""
    summary = entry["train_seconds"]
    written = number(summary["median"], 2)
    return written if summary["n"] in (0, entry["accuracy"]["n"]) else f"{written} ({summary['n']})"


def seconds_range(entry: dict[str, Any]) -> str:
    """Median training time, then the fastest and the slowest run and how many were timed."""
    taken = [run["train_seconds"] for run in entry["runs"] if run["train_seconds"] is not None]
    if not taken:
        return "–"
    spread = f"{min(taken):.2f}–{max(taken):.2f}; " if len(taken) > 1 else ""
    return f"{entry['train_seconds']['median']:.2f} ({spread}{len(taken)})"


def times(ratio: dict[str, float] | None) -> str:
    """How many times as long, with its 95 % interval; an en dash where too few runs tell."""
    if ratio is None:
        return "–"
    return f"{ratio['ratio']:.2f}× ({ratio['low']:.2f} to {ratio['high']:.2f})"


def counted(count: int, what: str) -> str:
    """A number and its noun."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def si(count: int | None) -> str:
    """A large number to three digits: 2.27 M; an en dash where it is not known."""
    if count is None:
        return "–"
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= factor:
            return f"{count / factor:.3g} {prefix}"
    return str(count)


def text_table(result: Result) -> "Table":
    """The comparison for a terminal of 80 columns."""
    from rich.table import Table

    document, several = result.document, len(result.study.recipes) > 1
    conditions = [
        result.test_set.title,
        "test set",
        f"{document['device']}, {counted(document['threads'], 'thread')}",
        *result.shared_settings,
    ]
    table = Table(
        title=" · ".join(conditions),
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("model", overflow="fold")
    if several:
        table.add_column("recipe", overflow="fold")
    entries = document["entries"]
    validated = any(entry["validation_accuracy"]["n"] for entry in entries)
    alone = any(entry["accuracy_one_by_one"]["n"] for entry in entries)
    noted = any(entry["notes"] for entry in entries)
    columns: dict[str, tuple[bool, Callable[[dict[str, Any]], str]]] = {
        "valid. %": (validated, lambda entry: percent(entry["validation_accuracy"])),
        "accuracy %": (True, lambda entry: percent(entry["accuracy"])),
        "alone %": (alone, lambda entry: percent(entry["accuracy_one_by_one"])),
        "± 95 %": (True, half_interval),
        "sd": (not noted, lambda entry: percent(entry["accuracy"], "sd")),  # for want of room
        "loss": (True, lambda entry: number(entry["loss"]["mean"])),
        "train s": (True, seconds),
        "parameters": (True, lambda entry: f"{entry['parameters']:,}"),
        "n": (True, lambda entry: str(entry["accuracy"]["n"])),
        "notes": (noted, lambda entry: ", ".join(entry["notes"])),
    }
    shown = {heading: write for heading, (there, write) in columns.items() if there}
    for heading, write in shown.items():
        # Where a terminal is narrow, names are folded, but numbers and words stay whole.
        values = [write(entry) for entry in entries]
        side: Literal["left", "right"] = "right"
        if heading == "notes":
            values, side = " ".join(values).split(), "left"
        least = max(map(len, [*values, *heading.split()]))
        table.add_column(heading, justify=side, overflow="fold", min_width=least)
    short = several or validated  # 80 columns hold no more than short names then
    for row, entry in zip(result.entries, entries, strict=True):
        name = [result.short_model(row) if short else row.label]
        name += [result.short_recipe(row)] if several else []
        table.add_row(*name, *(write(entry) for write in shown.values()))
    return table


def half_interval(entry: dict[str, Any]) -> str:
    """Half of the accuracy's 95 % interval, in points; an en dash where one seed cannot give it."""
    accuracy = entry["accuracy"]
    return "–" if accuracy["low"] is None else f"{100 * (accuracy['high'] - accuracy['mean']):.2f}"


def pair_table(result: Result) -> "Table":
    """What the differences amount to, for a terminal of 80 columns.

    Of more than MANY_PAIRS those of the entry with the highest mean; the report has all.
    """
    from rich.table import Table

    pairs = result.document["pairs"]
    title = "Differences of accuracy"
    if len(pairs) > MANY_PAIRS:
        best = result.name(max(result.entries, key=lambda entry: fmean(entry.accuracies)))
        title += f" from {best}; the report has all {len(pairs)}"
        pairs = [pair for pair in pairs if best in (pair["a"], pair["b"])]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("first", overflow="fold")
    table.add_column("second", overflow="fold")
    table.add_column("points", justify="right")
    table.add_column("95 %", justify="right", no_wrap=True)
    table.add_column("verdict on the first")
    for pair in pairs:
        table.add_row(
            pair["a"],
            pair["b"],
            points(pair["difference"]),
            interval(pair),
            f"open until ~{pair['seeds_needed']} seeds"
            if pair["seeds_needed"]
            else pair["in_words"],
        )
    return table
