"""The figures of a tuning: losses over the settings that were tuned, and tuning curves."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashionbench.report.gains import TunedRow
from fashionbench.report.style import (
    INK,
    WIDTH,
    Look,
    add_legend,
    assign_looks,
    start_figure,
    start_panels,
)
from fashionbench.report.tuned import Tuned

__all__ = ["plot_search", "plot_tuning_curves"]

HIGHEST = 4.0
"""Losses above it, far worse than guessing among ten classes, are drawn at it."""
TICKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
COLUMNS = 3
"""Panels side by side, where one setting was tuned."""


def plot_search(rows: Sequence[TunedRow], title: str) -> Figure:
    """Draw validation loss over each tuned setting, a panel for each entry and setting.

    Small points are first seeds, large ones means of the further seeds, crosses on the upper edge
    failed runs. The diamond is the recipe as it is, a vertical line what a study chose, and the
    shaded part the stable range.
    """
    settings = list(rows[0].how.tuning.ranges)
    panels = [(row, setting) for row in rows for setting in settings]
    columns = len(settings) if len(settings) > 1 else min(COLUMNS, len(rows))
    lines = math.ceil(len(panels) / columns)
    figure, axes = start_panels(
        f"Validation loss of what was tried · {title}", WIDTH, 0.8 + 2.6 * lines, lines, columns
    )
    losses = _find_losses(rows)
    looks = {name: look for name, _, look in assign_looks([(row.name, row) for row in rows])}
    for (row, setting), panel in zip(panels, axes, strict=False):
        _draw_panel(panel, row.how, setting, looks[row.name], losses)
        panel.set_title(row.name, loc="left", size=10)
        panel.set_xlabel(setting.replace("_", " "))
    for unused in axes[len(panels) :]:
        unused.set_visible(False)
    for first in axes[::columns]:
        first.set_ylabel("validation loss, nats")
    return figure


def _find_losses(rows: Sequence[TunedRow]) -> tuple[float, float]:
    """Return between which losses a plot reaches: from the lowest to the highest worth telling."""
    losses = [trial.score for row in rows for trial in row.how.progress.trials]
    finite = [each for each in losses if math.isfinite(each)] or [1.0]
    return min(finite) / 1.1, 1.1 * min(HIGHEST, max(finite))


def _draw_panel(
    axes: Axes, how: Tuned, setting: str, look: Look, losses: tuple[float, float]
) -> None:
    """Draw what one entry tried of one setting."""
    top, log = losses[1], how.tuning.ranges[setting].scale == "log"

    def has_place(value: float | None) -> bool:
        return value is not None and (value > 0 or not log)

    known = [tried for tried in how.tried if has_place(tried.settings[setting])]
    first = [(t.settings[setting], t.first) for t in known if t.first is not None]
    further = [
        (t.settings[setting], sum(t.further) / len(t.further), t.point is None)
        for t in known
        if t.further
    ]
    for value, loss in first:
        failed = not math.isfinite(loss)
        marker, size = ("x", 6) if failed else (look.marker, 4)
        axes.plot(value, min(loss, top), marker, color=look.color, ms=size, clip_on=False)
    for value, loss, as_it_is in further:
        marker, size = ("D", 7) if as_it_is else (look.marker, 8)
        if not math.isfinite(loss):
            marker = "x"
        axes.plot(
            value, min(loss, top), marker, color=look.color, mfc="none", ms=size, clip_on=False
        )
    for chosen in how.progress.settings:
        if has_place(chosen[setting]):
            axes.axvline(chosen[setting], color=INK, lw=1, ls="--", alpha=0.6)
    if how.stable is not None:
        axes.axvspan(*how.stable, color=look.color, alpha=0.15, lw=0)
    if log:
        axes.set_xscale("log")
    _scale_losses(axes, losses)


def _scale_losses(axes: Axes, losses: tuple[float, float]) -> None:
    """Give losses a logarithmic axis, labelled with plain numbers."""
    axes.set_yscale("log")
    ticks = [tick for tick in TICKS if losses[0] <= tick <= losses[1]]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylim(*losses)
    axes.minorticks_off()
    axes.grid(alpha=0.25)


def plot_tuning_curves(rows: Sequence[TunedRow], title: str) -> Figure:
    """Draw the lowest validation loss that so many trials find: the median in its 95 % band.

    Where an end of the band cannot be told, it reaches to the edge of the plot.
    """
    figure, axes = start_figure(f"Best of more and more trials · {title}", WIDTH, 4.2)
    for _, row, look in assign_looks([(row.name, row) for row in rows]):
        curve = row.how.curve
        trials = [point.trials for point in curve]
        medians = np.array([point.median for point in curve])
        band = np.array([(point.low, point.high) for point in curve])
        axes.fill_between(trials, *np.clip(band, 1e-3, 1e3).T, color=look.color, alpha=0.12, lw=0)
        axes.plot(
            trials, medians.clip(max=1e3), "o" + look.line, color=look.color, ms=4, label=look.label
        )
    tuning = rows[0].how.tuning
    if tuning.studies > 1:
        axes.axvline(tuning.trials / tuning.studies, color=INK, lw=1, ls="--", alpha=0.6)
    _scale_losses(axes, _find_losses(rows))
    axes.set_xlabel("trials: points tried, from one seed each")
    axes.set_ylabel("lowest validation loss, nats")
    add_legend(axes)
    return figure
