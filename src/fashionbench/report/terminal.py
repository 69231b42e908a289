"""A comparison as text: the terminal's tables of entries and of pairs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fashionbench.report.comparison import Comparison
from fashionbench.report.document import EntrySummary, ExcludedImages
from fashionbench.report.numbers import (
    VARIED,
    format_interval,
    format_mean,
    format_number,
    format_percent,
    format_points,
    format_seconds,
    format_verdict_interval,
    pluralize,
)

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["build_entry_table", "build_pair_table"]

WIDTH, LONG_NAME = 80, 24
"""Characters in a line of a terminal, and those that a name may have before it is folded."""
GAP = 2
"""Characters between two columns."""
DISPENSABLE = ("sd", "loss", "parameters")
"""Columns that a narrow terminal leaves to the report, in the order in which they are dropped."""


def build_entry_table(comparison: Comparison) -> "Table":
    """Build the table of entries for a terminal of 80 columns."""
    document, several = comparison.document, comparison.recipes_vary
    vary = comparison.study.vary
    conditions = [
        comparison.test_set.title,
        "test set",
        f"{document.device}, {pluralize(document.threads, 'thread')}",
        *([f"seeds vary {VARIED[vary]} alone"] if vary != "all" else []),
        *_describe_excluded(document.excluded),
        *([f"dealt: on {document.splits} splits dealt anew"] if document.splits else []),
        *comparison.shared_settings,
    ]
    table = _start_table(" · ".join(conditions), ["model", "recipe"] if several else ["model"])
    entries = [summary for _, summary in comparison.rows]
    names = [
        [comparison.short_model(row.entry)]
        + ([comparison.short_recipe(row.entry)] if several else [])
        for row in comparison.ranking
    ]
    columns = _choose_columns(entries, _count_left(names))
    for heading, write in columns.items():
        # Where a terminal is narrow, names are folded, but numbers and words stay whole.
        values = [write(entry) for entry in entries]
        side: Literal["left", "right"] = "right"
        if heading == "notes":
            values, side = " ".join(values).split(), "left"
        least = max(map(len, [*values, *heading.split()]))
        table.add_column(heading, justify=side, overflow="fold", min_width=least)
    for entry, named in zip(entries, names, strict=True):
        table.add_row(*named, *(write(entry) for write in columns.values()))
    return table


def _count_left(names: Sequence[Sequence[str]]) -> int:
    """Count the characters of a line that names, and the gaps after them, leave."""
    widths = (max(map(len, column)) for column in zip(*names, strict=True))
    return WIDTH - sum(min(width, LONG_NAME) + GAP for width in widths)


def _describe_excluded(excluded: ExcludedImages | None) -> list[str]:
    if excluded is None:
        return []
    images = pluralize(excluded.images, "doubtful image")
    return [f"excl.: without {images} of {Path(excluded.file).name}"]


def _start_table(title: str, names: Sequence[str]) -> "Table":
    """Start a table without rows, whose first columns name what is in a row."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in names:
        table.add_column(heading, overflow="fold")
    return table


def _choose_columns(
    entries: Sequence[EntrySummary], room: int
) -> dict[str, Callable[[EntrySummary], str]]:
    """Choose the headings that have something below them and fit, and who writes it."""
    validated = any(entry.validation_accuracy.n for entry in entries)
    alone = any(entry.accuracy_one_by_one.n for entry in entries)
    dealt = any(entry.over_splits for entry in entries)
    accuracy = "official %" if dealt else "accuracy %"
    excluded = any(entry.accuracy_without_excluded for entry in entries)
    noted = any(entry.notes for entry in entries)
    columns: dict[str, tuple[bool, Callable[[EntrySummary], str]]] = {
        "valid. %": (validated, lambda entry: format_percent(entry.validation_accuracy.mean)),
        accuracy: (True, lambda entry: format_percent(entry.accuracy.mean)),
        "excl. %": (excluded, lambda entry: format_mean(entry.accuracy_without_excluded)),
        "alone %": (alone, lambda entry: format_percent(entry.accuracy_one_by_one.mean)),
        "95 % interval": (True, lambda entry: format_interval(entry.accuracy)),
        "dealt %": (dealt, lambda entry: format_mean(entry.over_splits)),
        "95 % dealt": (dealt, lambda entry: format_interval(entry.over_splits)),
        "sd": (not dealt, lambda entry: format_percent(entry.accuracy.sd)),
        "loss": (not dealt, lambda entry: format_number(entry.loss.mean)),
        "train s": (True, format_seconds),
        "parameters": (not dealt, lambda entry: f"{entry.parameters:,}"),
        "n": (True, lambda entry: str(entry.accuracy.n)),
        "notes": (noted, lambda entry: ", ".join(entry.notes)),
    }
    chosen = {heading: write for heading, (there, write) in columns.items() if there}
    for heading in DISPENSABLE:
        widths = [max(len(each), *map(len, map(chosen[each], entries))) for each in chosen]
        if sum(widths) + GAP * (len(widths) - 1) > room:
            chosen.pop(heading, None)
    return chosen


def build_pair_table(comparison: Comparison) -> "Table":
    """Build the table of differences for a terminal of 80 columns.

    Of more than MANY_PAIRS it shows those of the entry with the highest mean; the report has all.
    """
    pairs, title = comparison.shown_pairs, "Differences of accuracy"
    if len(pairs) < len(comparison.pairs):
        best = comparison.name(comparison.ranking[0].entry)
        title += f" from {best}; results.json has all {len(comparison.pairs)} pairs"
    table = _start_table(title, ["first", "second"])
    table.add_column("points", justify="right")
    table.add_column("interval", justify="right", no_wrap=True)
    table.add_column("verdict on the first")
    for pair in pairs:
        found = pair.summarize()
        points, interval = format_points(found.difference), format_verdict_interval(found)
        table.add_row(pair.a, pair.b, points, interval, found.in_words)
    return table
