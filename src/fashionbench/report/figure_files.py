"""A comparison's figures as files to take away: on a page, from a projector, in a paper."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fashionbench.core.files import slug, write_atomically
from fashionbench.errors import UsageError
from fashionbench.report.comparison import Comparison
from fashionbench.report.figures import draw_confusion, draw_figure, list_figures
from fashionbench.report.style import STYLES, restyle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMS", "save_figures"]

FORMS = ("svg", "png", "pdf")
"""The kinds of files."""
DOTS_AN_INCH = 200
"""Of PNG files."""


def save_figures(comparison: Comparison, form: str, style: str = "page") -> list[Path]:
    """Write every figure into the run folder's `figures`, a confusion matrix for each model.

    Raises UsageError, with what there is, for another form or style, and StoreError where the
    folder cannot be written.
    """
    for name, known in ((form, FORMS), (style, [*STYLES])):
        if name not in known:
            raise UsageError(
                f"Figures cannot be written as {name!r}; there are {', '.join(known)}."
            )
    paths = []
    for name, figure in _draw_all(comparison):
        restyle(figure, STYLES[style])
        path = comparison.folder / "figures" / f"{slug(name)}.{form}"
        write_atomically(path, _render(figure, form, STYLES[style].background))
        paths.append(path)
    return paths


def _draw_all(comparison: Comparison) -> Iterator[tuple[str, "Figure"]]:
    for name in list_figures(comparison):
        if name != "confusion":
            yield name, draw_figure(comparison, name)
            continue
        for row in comparison.ranking:
            yield f"confusion-{comparison.name(row.entry)}", draw_confusion(comparison, row.entry)


def _render(figure: "Figure", form: str, background: str) -> bytes:
    """Return a file's bytes, the same every time: no date is written into it."""
    from matplotlib import rc_context

    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "fashionbench", "svg.fonttype": "none"}):
        figure.savefig(
            buffer, format=form, dpi=DOTS_AN_INCH, facecolor=background, metadata=dates[form]
        )
    return buffer.getvalue()
