"""How all plots look: ink, colors, markers, and where the legend stands.

Text and axes are drawn in one color, INK, on no background, so that a page can
replace it by its own and be read in the dark. Data colors are those of Okabe and
Ito (2008), which people with color blindness tell apart.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import cycle, product
from typing import Any, NamedTuple, TypeVar

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = [
    "COLORS",
    "INK",
    "WIDTH",
    "Look",
    "add_legend",
    "assign_looks",
    "start_figure",
    "start_panels",
]

T = TypeVar("T")

INK = "#010203"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
SHAPES = (("o", "-"), ("s", "--"), ("^", ":"))
"""A marker and a line style for each time that the colors are used up."""
WIDTH = 8.5
"""Inches: the page's own width, so that text keeps its size."""
STYLE: Any = {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "svg.fonttype": "none",
}


class _Figure(Figure):
    """A figure that a notebook shows by itself, without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100, facecolor="white")
        return buffer.getvalue()


def start_figure(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty plot of so many inches under its title."""
    with rc_context(STYLE):
        figure = _Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        axes.set_title(title, loc="left")
    return figure, axes


def start_panels(
    title: str, width: float, height: float, rows: int, columns: int
) -> tuple[Figure, list[Axes]]:
    """Return empty plots side by side that share their vertical axis, row by row."""
    with rc_context(STYLE):
        figure = _Figure(figsize=(width, height), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left")
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    return figure, [*panels.flat]


def add_legend(axes: Axes) -> None:
    """Put the legend beside the plot, where it covers no run; none where nothing is labelled."""
    if axes.get_legend_handles_labels()[0]:
        with rc_context(STYLE):
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


class Look(NamedTuple):
    """What tells an entry apart in every plot."""

    color: str
    marker: str
    line: str


def assign_looks(entries: Sequence[tuple[str, T]]) -> Iterator[tuple[str, T, Look]]:
    """Give each named entry its look, the same in every plot; 21 looks are different."""
    looks = cycle(product(SHAPES, COLORS))
    for (name, entry), ((marker, line), color) in zip(entries, looks, strict=False):
        yield name, entry, Look(color, marker, line)
