"""A comparison -> report.html, report.md, results.json and CSV files. Same records, same bytes.

The page is one file without scripts or anything from elsewhere; its plots are
inline SVG that takes the page's own ink, so that it is legible light and dark.
"""

from pathlib import Path
from typing import Any

from fashionbench.config.study import Study
from fashionbench.core.files import write_atomically
from fashionbench.core.seeds import HELD_SEED
from fashionbench.report.comparison import REPORT_FILES, Comparison
from fashionbench.report.figures import (
    FIGURES,
    TUNING_FIGURES,
    draw_confusions,
    draw_figure,
    list_figures,
    render_svg,
)
from fashionbench.report.flips import find_flips
from fashionbench.report.headline import compose_headline
from fashionbench.report.numbers import VARIED
from fashionbench.report.style import IN_FRONT, drop_titles
from fashionbench.report.tables import format_csv, list_entries, list_pairs, list_runs
from fashionbench.report.templating import load_template
from fashionbench.report.tuning_table import (
    describe_protocol,
    list_budgets,
    list_gains,
    list_milestones,
)
from fashionbench.report.warnings import find_warnings

__all__ = ["keep_report", "render_notebook", "write_report"]

KEPT = "reports"
"""The folder in which the reports of all comparisons of a run folder are kept."""
COUNTED = ("flips", "hard")
"""The figures whose titles say how many images there are, which no heading does."""
MOST_WARNINGS = 6
"""Warnings that stand open on the page."""
DEAD_LOGITS = (
    "FashionMnistModelV1 has a ReLU on its logits. A logit that is negative for all images of its "
    "own class outputs 0 and gets no gradient from them, so it never recovers. Each class that is "
    "lost in this way costs about eight points of accuracy, and how many are lost depends on the "
    "seed. The model mlp is the same network without that ReLU."
)


def render_notebook(comparison: Comparison) -> str:
    """Return headline, warnings, tables and two plots as HTML, for a notebook's output."""
    svgs = [svg for name in ("accuracies", "curves") for svg in _draw_svgs(comparison, name)]
    return _render("notebook.html.j2", comparison, svgs=svgs)


def _render(template: str, comparison: Comparison, **values: Any) -> str:
    return load_template(template).render(
        comparison=comparison,
        document=comparison.document,
        title=comparison.test_set.title,
        names=[entry.name for _, entry in comparison.rows],
        headline=compose_headline(comparison),
        warnings=find_warnings(comparison),
        most_warnings=MOST_WARNINGS,
        dead_logits=DEAD_LOGITS if _has_dead_v1(comparison) else "",
        varied=VARIED[comparison.study.vary],
        held_seed=HELD_SEED,
        several_recipes=comparison.recipes_vary,
        tuning=_describe_tuning(comparison),
        shown_pairs=[pair.summarize() for pair in comparison.shown_pairs],
        flips=find_flips(comparison),
        test_images=len(comparison.test_set.labels),
        test_set_error=max(entry.test_set_error for entry in comparison.document.entries),
        environment=comparison.entries[0].runs[0].environment,
        **values,
    )


def _has_dead_v1(comparison: Comparison) -> bool:
    return any(run.dead_classes for e in comparison.entries if e.model == "v1" for run in e.runs)


def keep_report(folder: Path, before: Study, now: Study) -> Path | None:
    """Return where the report of the comparison before is kept, which another will replace.

    One that an older fashionbench wrote is copied there. None where there is none, or it is of the
    same comparison.
    """
    kept = folder / KEPT / before.slug
    if before.slug == now.slug or not (folder / "results.json").is_file():
        return None
    if not kept.is_dir():
        for name in REPORT_FILES:
            if (folder / name).is_file():
                write_atomically(kept / name, (folder / name).read_bytes())
    return kept


def write_report(comparison: Comparison) -> list[Path]:
    """Write the files into the run folder, and return where. Raises StoreError.

    They are written twice: into reports/NAME, where those of each comparison are kept, and into
    the folder itself, where those of the newest are found. results.json comes last: where it says
    what the comparison says, all of them do.
    """
    figures = [
        (name, FIGURES[name].title, FIGURES[name].sentence, _draw_svgs(comparison, name))
        for name in list_figures(comparison)
    ]
    tuning_figures = [
        (figure.title, figure.sentence, *_draw_svgs(comparison, name))
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
        "results.csv": format_csv(list_runs(comparison)),
        "summary.csv": format_csv(list_entries(comparison)),
        "pairs.csv": format_csv(list_pairs(comparison)),
        "results.json": comparison.to_json(),
    }
    written = []
    for name, text in contents.items():
        path, content = comparison.folder / name, text.encode()
        write_atomically(comparison.folder / KEPT / comparison.study.slug / name, content)
        write_atomically(path, content)
        written.append(path)
    return written


def _describe_tuning(comparison: Comparison) -> dict[str, Any]:
    """Return what the page says of tuning; nothing where all recipes are taken as they are."""
    rows, tuning = comparison.tuned_rows, comparison.study.tuning
    if not rows or tuning is None:
        return {}
    names = [row.name for row in rows]
    return {
        "gains": list_gains(rows),
        "budgets": list(zip(names, list_budgets(rows), strict=True)),
        "milestones": list(zip(names, list_milestones(rows), strict=True)),
        "protocol": describe_protocol(tuning),
    }


def _draw_svgs(comparison: Comparison, name: str) -> list[str]:
    """Draw a figure of the page, which shows the confusion of every entry in front."""
    if name != "confusion":
        figure = draw_figure(comparison, name)
        if name not in COUNTED:
            drop_titles(figure)  # the heading says it
        described = FIGURES.get(name) or TUNING_FIGURES[name]
        return [render_svg(figure, name, described.title)]
    svgs = []
    for index, (entry, figure) in enumerate(draw_confusions(comparison)):
        figure.axes[0].set_title(entry, loc="left")
        svgs.append(render_svg(figure, f"confusion-{index}", f"{entry}: confusion matrix"))
    return svgs


def _find_chances(comparison: Comparison) -> dict[str, dict[str, float]]:
    """Return P(A > B) of the entries in front, by both names; empty where seeds are too few."""
    front = [entry.name for _, entry in comparison.rows[:IN_FRONT]]
    chances: dict[str, dict[str, float]] = {name: {} for name in front}
    for pair in comparison.pairs:
        chance = pair.found.probability_a_beats_b
        if chance is not None and pair.a in front and pair.b in front:
            chances[pair.a][pair.b] = chance
            chances[pair.b][pair.a] = 1 - chance
    return {name: row for name, row in chances.items() if row}
