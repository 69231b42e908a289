"""A comparison's numbers to take away: as CSV, and its table as LaTeX, Markdown or CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fashionbench.errors import UsageError
from fashionbench.report.comparison import Comparison
from fashionbench.report.numbers import format_interval, format_percent, format_places

__all__ = ["TABLES", "format_csv", "format_table", "list_entries", "list_pairs", "list_runs"]

Row = dict[str, Any]


def list_runs(comparison: Comparison) -> Iterator[Row]:
    """Yield a row for each run: its model and its numbers."""
    for entry in comparison.document.entries:
        about = entry.model_dump(include={"model", "recipe", "label", "parameters"})
        for run in entry.runs:
            yield {"dataset": comparison.study.dataset, **about, **run.model_dump()}


def list_entries(comparison: Comparison) -> Iterator[Row]:
    """Yield a row for each row of the table, the most accurate first, with all its numbers."""
    for _, entry in comparison.rows:
        yield {"dataset": comparison.study.dataset, **entry.model_dump(exclude={"runs"})}


def list_pairs(comparison: Comparison) -> Iterator[Row]:
    """Yield a row for each pair."""
    for pair in comparison.pairs:
        yield pair.summarize().model_dump()


def format_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows as CSV: a column for each number, such as accuracy_mean, and lists as text.

    Empty where there are no rows.
    """
    flat = [dict(_flatten(row)) for row in rows]
    buffer = io.StringIO()
    if flat:
        columns = dict.fromkeys(key for row in flat for key in row)
        writer = csv.DictWriter(buffer, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
    return buffer.getvalue()


def _flatten(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}_{part}", of) for part, of in _flatten(value))
        elif isinstance(value, list):
            yield key, "; ".join(map(str, value))
        else:
            yield key, value


def format_table(comparison: Comparison, form: str) -> str:
    """Write the table of a comparison in one of the forms of TABLES.

    Raises UsageError, which names them, for another.
    """
    if form not in TABLES:
        raise UsageError(f"There is no table {form!r}; there are {', '.join(TABLES)}.")
    return TABLES[form](comparison)


def _choose_cells(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return the headings of the table, and its rows as text."""
    several, pairs = len(comparison.study.recipes) > 1, bool(comparison.pairs)
    validated = any(entry.validation_accuracy.n for _, entry in comparison.rows)
    rows = []
    for row, entry in comparison.rows:
        seconds = entry.train_seconds.median
        cells = {
            "Model": comparison.short_model(row.entry),
            "Recipe": comparison.short_recipe(row.entry) if several else None,
            "Place": format_places(row.first, row.last) if pairs else None,
            "Validation, %": format_percent(entry.validation_accuracy.mean) if validated else None,
            "Accuracy, %": format_percent(entry.accuracy.mean),
            "95 % interval": format_interval(entry.accuracy),
            "sd": format_percent(entry.accuracy.sd),
            "Seeds": str(entry.accuracy.n),
            "Training, s": "–" if seconds is None else f"{seconds:.2f}",
            "Parameters": f"{entry.parameters:,}",
        }
        rows.append({heading: cell for heading, cell in cells.items() if cell is not None})
    return [*rows[0]], [[*row.values()] for row in rows]


_LEFT = ("Model", "Recipe", "Place")
"""Columns of words."""


def _format_markdown(comparison: Comparison) -> str:
    headings, rows = _choose_cells(comparison)
    rule = ["---" if heading in _LEFT else "---:" for heading in headings]
    escaped = ([cell.replace("|", r"\|") for cell in row] for row in (headings, rule, *rows))
    return "".join(f"| {' | '.join(row)} |\n" for row in escaped)


_LATEX = str.maketrans(
    {
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "–": "--",
        "−": "$-$",
    }
)


def _format_latex(comparison: Comparison) -> str:
    """Write the table for the package booktabs, as a whole float with caption and label."""
    headings, rows = _choose_cells(comparison)
    columns = "".join("l" if heading in _LEFT else "r" for heading in headings)
    lines = [
        " & ".join(cell.translate(_LATEX) for cell in row) + r" \\" for row in (headings, *rows)
    ]
    title, images = comparison.test_set.title.translate(_LATEX), len(comparison.test_set.labels)
    body = "\n".join(f"    {line}" for line in lines[1:])
    return rf"""% \usepackage{{booktabs}}
\begin{{table}}
  \centering
  \caption{{Accuracy on the {images:,} test images of {title}: mean over seeds, with the
    95\,\% interval of the mean. Places are those that the pairwise verdicts leave open.}}
  \label{{tab:fashionbench}}
  \begin{{tabular}}{{{columns}}}
    \toprule
    {lines[0]}
    \midrule
{body}
    \bottomrule
  \end{{tabular}}
\end{{table}}
"""


TABLES: Mapping[str, Callable[[Comparison], str]] = {
    "latex": _format_latex,
    "markdown": _format_markdown,
    "csv": lambda comparison: format_csv(list_entries(comparison)),
}
"""The forms of a table to take away, by their names on the command line."""
