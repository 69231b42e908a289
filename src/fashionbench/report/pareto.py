"""What accuracy costs: in parameters, operations and time, with the Pareto front."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from fashionbench.report.entries import NamedRuns
from fashionbench.report.style import INK, WIDTH, add_legend, assign_looks, start_panels
from fashionbench.store.records import RunRecord, TestSet

__all__ = ["COSTS", "draw_pareto", "plot_pareto"]

COSTS: dict[str, Callable[[RunRecord, int], float | None]] = {
    "parameters": lambda run, _: run.parameters,
    "FLOPs for an image": lambda run, _: run.flops_per_image,
    "training time, seconds": lambda run, _: run.train_seconds,
    "time for a test image, microseconds": lambda run, images: (
        None if run.train_seconds is None else 1e6 * run.other_seconds["test"] / images
    ),
}
"""What a run cost, by the name on the axis, given the number of test images; None where that was
not measured."""

LOG_FROM = 5
"""The dearest over the cheapest from which a logarithmic scale shows more."""
THREES_TO = 1000
"""And to which there is room for 3, 30, 300 between 1, 10, 100."""


def plot_pareto(entries: NamedRuns, test_set: TestSet) -> Figure:
    """Draw the mean accuracy over what it costs; the line is the Pareto front.

    Of a pair of models on the line the dearer is the more accurate; a model beside it is beaten
    by another that costs no more. Times are means over the runs that were alone on the device.
    """
    points = [
        (name, (float(np.mean([run.scores.accuracy for run in runs])), _mean_costs(runs, test_set)))
        for name, runs in entries
    ]
    return draw_pareto(points, test_set.title)


def _mean_costs(runs: Sequence[RunRecord], test_set: TestSet) -> dict[str, float]:
    """Average what a run cost over those in which it was measured, by the names in COSTS."""
    found = {
        name: [value for run in runs if (value := cost(run, len(test_set.labels))) is not None]
        for name, cost in COSTS.items()
    }
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def draw_pareto(
    points: Sequence[tuple[str, tuple[float, Mapping[str, float]]]], title: str
) -> Figure:
    """Draw the plot of `plot_pareto` from names, accuracies and costs by their names in COSTS."""
    figure, panels = start_panels(f"What accuracy costs · {title}", WIDTH, 6.6, 2, 2)
    for axes, label in zip(panels, COSTS, strict=True):
        paid = []
        for name, (accuracy, cost), look in assign_looks(points):
            if label in cost:
                paid.append((cost[label], 100 * accuracy))
                axes.plot(
                    *paid[-1], look.marker, color=look.color, ms=7, mec=INK, mew=0.5, label=name
                )
        axes.plot(*zip(*_front(paid), strict=True), "-", color=INK, lw=1, alpha=0.5, zorder=0)
        _scale_costs(axes, [cost for cost, _ in paid])
        axes.set_xlabel(label)
        axes.grid(alpha=0.25)
    for axes in panels[::2]:
        axes.set_ylabel("test accuracy, %")
    add_legend(panels[1])
    return figure


def _scale_costs(axes: Axes, costs: Sequence[float]) -> None:
    """Give costs that differ by much a logarithmic axis, and all of them short labels."""
    least = min(costs, default=0)
    spread = max(costs) / least if least else 1
    if spread > LOG_FROM:
        axes.set_xscale("log")
        steps = (1, 3) if spread < THREES_TO else (1,)
        axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=8))
        axes.xaxis.set_minor_formatter(NullFormatter())
    # "30k" for what is counted, "0.3" for what is measured: "300m" microseconds are no unit.
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if least >= 1000 else "{x:g}")


def _front(points: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """List the points that no other beats, by rising cost: cheaper and better is none."""
    front: list[tuple[Any, Any]] = []
    for point in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front
