"""A comparison -> report.html, report.md, results.csv and results.json. Same records, same bytes.

The page is one file without scripts or anything from elsewhere; its plots are
inline SVG that takes the page's own ink, so that it is legible light and dark.
"""

import csv
import io
from pathlib import Path
from typing import Any

from fashionbench.core.files import write_atomically
from fashionbench.core.seeds import HELD_SEED
from fashionbench.report.comparison import Comparison
from fashionbench.report.figures import (
    FIGURES,
    TUNING_FIGURES,
    draw_confusions,
    draw_figure,
    render_svg,
)
from fashionbench.report.headline import compose_headline
from fashionbench.report.numbers import VARIED
from fashionbench.report.templating import load_template
from fashionbench.report.tuning_table import describe_protocol, list_budgets, list_gains
from fashionbench.report.warnings import find_warnings

__all__ = ["render_notebook", "write_report"]

DEAD_LOGITS = (
    "FashionMnistModelV1 has a ReLU on its logits. A logit that is negative for all images of its "
    "own class outputs 0 and gets no gradient from them, so it never recovers. Each class that is "
    "lost in this way costs about eight points of accuracy, and how many are lost depends on the "
    "seed. The model mlp is the same network without that ReLU."
)


def render_notebook(comparison: Comparison) -> str:
    """Return the table and two plots as HTML, for a notebook's output."""
    figures = [svg for name in ("accuracies", "curves") for svg in _draw_svgs(comparison, name)]
    return _render("table.html.j2", comparison) + "".join(figures)


def _render(template: str, comparison: Comparison, **values: Any) -> str:
    return load_template(template).render(
        comparison=comparison,
        document=comparison.document,
        title=comparison.test_set.title,
        headline=compose_headline(comparison),
        warnings=find_warnings(comparison),
        dead_logits=DEAD_LOGITS if _has_dead_v1(comparison) else "",
        varied=VARIED[comparison.study.vary],
        held_seed=HELD_SEED,
        several_recipes=comparison.recipes_vary,
        tuning=_describe_tuning(comparison),
        test_images=len(comparison.test_set.labels),
        test_set_error=max(entry.test_set_error for entry in comparison.document.entries),
        environment=comparison.entries[0].runs[0].environment,
        **values,
    )


def _has_dead_v1(comparison: Comparison) -> bool:
    return any(run.dead_classes for e in comparison.entries if e.model == "v1" for run in e.runs)


def write_report(comparison: Comparison) -> list[Path]:
    """Write the four files into the run folder, and return where. Raises StoreError.

    results.json comes last: where it says what the comparison says, all four do.
    """
    figures = [
        (figure.title, figure.sentence, _draw_svgs(comparison, name))
        for name, figure in FIGURES.items()
    ]
    tuning_figures = [
        (
            figure.title,
            figure.sentence,
            render_svg(draw_figure(comparison, name), name, figure.title),
        )
        for name, figure in TUNING_FIGURES.items()
        if comparison.tuned_rows
    ]
    contents = {
        "report.html": _render(
            "report.html.j2",
            comparison,
            figures=figures,
            tuning_figures=tuning_figures,
            chances=_find_chances(comparison),
        ),
        "report.md": _render("report.md.j2", comparison),
        "results.csv": _format_csv(comparison),
        "results.json": comparison.to_json(),
    }
    written = []
    for name, text in contents.items():
        path = comparison.folder / name
        write_atomically(path, text.encode())
        written.append(path)
    return written


def _describe_tuning(comparison: Comparison) -> dict[str, Any]:
    """Return what the page says of tuning; nothing where all recipes are taken as they are."""
    rows, tuning = comparison.tuned_rows, comparison.study.tuning
    if not rows or tuning is None:
        return {}
    return {
        "gains": list_gains(rows),
        "budgets": list(zip([row.name for row in rows], list_budgets(rows), strict=True)),
        "protocol": describe_protocol(tuning),
    }


def _draw_svgs(comparison: Comparison, name: str) -> list[str]:
    """Draw a figure of the page, which shows the confusion of every entry."""
    if name != "confusion":
        return [render_svg(draw_figure(comparison, name), name, FIGURES[name].title)]
    return [
        render_svg(figure, f"confusion-{index}", f"{entry}: confusion matrix")
        for index, (entry, figure) in enumerate(draw_confusions(comparison))
    ]


def _find_chances(comparison: Comparison) -> dict[str, dict[str, float]]:
    """P(A > B) of every entry against every other; empty where no pair has seeds enough."""
    chances: dict[str, dict[str, float]] = {}
    for pair in comparison.pairs:
        chance = pair.found.probability_a_beats_b
        if chance is not None:
            chances.setdefault(pair.a, {})[pair.b] = chance
            chances.setdefault(pair.b, {})[pair.a] = 1 - chance
    return chances


def _format_csv(comparison: Comparison) -> str:
    rows = []
    for entry in comparison.document.entries:
        about = entry.model_dump(include={"model", "recipe", "label", "parameters"})
        for run in entry.runs:
            dead = {"dead_classes": "; ".join(run.dead_classes)}
            rows.append({"dataset": comparison.study.dataset} | about | run.model_dump() | dead)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
