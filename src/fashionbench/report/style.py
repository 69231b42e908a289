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
from matplotlib.colors import is_color_like, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

__all__ = [
    "COLORS",
    "GREY",
    "INK",
    "IN_FRONT",
    "STYLES",
    "WIDTH",
    "Look",
    "Style",
    "add_legend",
    "assign_looks",
    "drop_titles",
    "legend_name",
    "restyle",
    "start_figure",
    "start_panels",
]

T = TypeVar("T")

INK = "#010203"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#A0A0A0"
IN_FRONT = 10
"""The most accurate entries have looks of their own; the others are grey behind them."""
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
    """Put the legend beside the plot, where it covers no run; none where nothing is labelled.

    What is drawn first lies behind the rest and stands last.
    """
    handles, labels = axes.get_legend_handles_labels()
    behind = [label for label in labels if label.endswith(" others")]
    order = sorted(range(len(labels)), key=lambda index: labels[index] in behind)
    if handles:
        with rc_context(STYLE):
            axes.legend(
                [handles[index] for index in order],
                [labels[index] for index in order],
                loc="upper left",
                bbox_to_anchor=(1, 1),
            )


class Style(NamedTuple):
    """How figures look where they are shown."""

    ink: str
    background: str
    width: float
    """Of the usual width."""
    text: float
    """Of the usual size of text and lines."""


STYLES = {
    "page": Style("black", "white", 1, 1),
    "projector": Style("white", "#14181c", 1.15, 1.5),
    "paper": Style("black", "white", 0.76, 0.85),
}
"""Looks by name: as in the report, large and light on dark, and small for a column of text."""


def restyle(figure: Figure, style: Style) -> None:
    """Give a finished figure another ink, size and size of text."""
    ink = to_rgba(INK)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width * style.width, height * style.width)
    for artist in figure.findobj():
        for part in ("color", "edgecolor", "facecolor", "markeredgecolor", "markerfacecolor"):
            # Collections hold a color for each of their parts and have no ink.
            value: Any = getattr(artist, f"get_{part}", lambda: None)()
            if is_color_like(value) and to_rgba(value, 1) == ink:
                getattr(artist, f"set_{part}")(style.ink)
        if isinstance(artist, Text):
            artist.set_fontsize(float(artist.get_fontsize()) * style.text)
        elif isinstance(artist, Line2D):
            artist.set_linewidth(artist.get_linewidth() * style.text)
            artist.set_markersize(artist.get_markersize() * style.text)


def drop_titles(figure: Figure) -> None:
    """Take a figure's title away, for a page whose heading says the same; panels keep theirs."""
    if figure.get_suptitle():
        figure.suptitle("")
        return
    for axes in figure.axes:
        axes.set_title("", loc="left")


class Look(NamedTuple):
    """What tells an entry apart in every plot, and what the legend calls it."""

    color: str
    marker: str
    line: str
    label: str
    """Empty where another of the entries behind stands for all of them."""
    front: bool
    """Whether it is one of the first, which are drawn in color above the others."""


def assign_looks(entries: Sequence[tuple[str, T]]) -> Iterator[tuple[str, T, Look]]:
    """Give each named entry its look, the same in every plot; after IN_FRONT all are grey.

    Those come first, so that what is in front is drawn over them.
    """
    behind = len(entries) - IN_FRONT
    for position, (name, entry) in enumerate(entries[IN_FRONT:]):
        label = "" if position else f"{behind} others" if behind > 1 else legend_name(name)
        yield name, entry, Look(GREY, "o", "-", label, front=False)
    looks = cycle(product(SHAPES, COLORS))
    for (name, entry), ((marker, line), color) in zip(entries[:IN_FRONT], looks, strict=False):
        yield name, entry, Look(color, marker, line, legend_name(name), front=True)


def legend_name(name: str) -> str:
    """Return a name as a legend shows it: matplotlib hides those that begin with an underscore."""
    return f"\N{THIN SPACE}{name}" if name.startswith("_") else name
