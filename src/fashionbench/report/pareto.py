"""What accuracy costs: in parameters, operations and time, with the Pareto front."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

from fashionbench.report.entries import NamedRuns
from fashionbench.report.style import INK, WIDTH, assign_looks, start_panels
from fashionbench.store.records import RunRecord, TestSet

__all__ = ["COSTS", "draw_pareto", "plot_pareto"]

COSTS: dict[str, Callable[[RunRecord, int], float | None]] = {
    "parameters": lambda run, _: run.parameters,
    "FLOPs per image": lambda run, _: run.flops_per_image,
    "training time, seconds": lambda run, _: run.train_seconds,
    "time per test image, microseconds": lambda run, images: (
        None if run.train_seconds is None else 1e6 * run.other_seconds["test"] / images
    ),
}
"""What a run cost, by the name on the axis, given the number of test images; None where that was
not measured."""

MOVED = 0.03
"""The part of a panel by which a name has moved from its point, so that a line joins the two."""
THREES_TO = 1000
"""The span of an axis up to which there is room for 3, 30, 300 between 1, 10, 100."""


def plot_pareto(entries: NamedRuns, test_set: TestSet, means: Sequence[float]) -> Figure:
    """Draw the `means` of accuracy over what they cost; the line is the Pareto front.

    Of a pair of models on the line the dearer is the more accurate; a model beside it is beaten
    by another that costs no more. Times are medians over the runs that were alone on the device.
    """
    points = [
        (name, (mean, _find_costs(runs, test_set)))
        for (name, runs), mean in zip(entries, means, strict=True)
    ]
    return draw_pareto(points, test_set.title)


def _find_costs(runs: Sequence[RunRecord], test_set: TestSet) -> dict[str, float]:
    """Find the median of what runs cost, of those in which it was measured, by COSTS' names."""
    found = {
        name: [value for run in runs if (value := cost(run, len(test_set.labels))) is not None]
        for name, cost in COSTS.items()
    }
    return {name: float(np.median(values)) for name, values in found.items() if values}


def draw_pareto(
    points: Sequence[tuple[str, tuple[float, Mapping[str, float]]]], title: str
) -> Figure:
    """Draw the plot of `plot_pareto` from names, accuracies and costs by their names in COSTS."""
    figure, panels = start_panels(f"What accuracy costs · {title}", WIDTH, 6.6, 2, 2)
    for axes, label in zip(panels, COSTS, strict=True):
        paid, named = [], []
        for name, (accuracy, cost), look in assign_looks(points):
            if label in cost:
                paid.append((cost[label], 100 * accuracy))
                axes.plot(*paid[-1], look.marker, color=look.color, ms=7, mec=INK, mew=0.5)
                if look.front:
                    named.append((name, *paid[-1]))
        axes.plot(*zip(*_front(paid), strict=True), "-", color=INK, lw=1, alpha=0.5, zorder=0)
        _scale_costs(axes, [cost for cost, _ in paid])
        _name_points(axes, named)
        axes.set_xlabel(label)
        axes.grid(alpha=0.25)
    for axes in panels[::2]:
        axes.set_ylabel("test accuracy, %")
    return figure


def _name_points(axes: Axes, named: Sequence[tuple[str, float, float]]) -> None:
    """Write each name beside its point, on the side with more room, and below one that is near."""
    axes.margins(y=0.12)
    axes.autoscale_view()
    taken: list[tuple[float, float]] = []
    for name, cost, accuracy in sorted(named, key=lambda point: -point[2]):
        across, up = axes.transLimits.transform(axes.transScale.transform((cost, accuracy)))
        right = across < 0.55
        lowest = min((y for x, y in taken if abs(x - across) < 0.45), default=2.0)
        height = min(up, lowest - 0.075)
        taken.append((across, height))
        axes.annotate(
            name.replace("\n", " "),
            (cost, accuracy),
            xytext=(across + (0.03 if right else -0.03), height),
            textcoords="axes fraction",
            ha="left" if right else "right",
            va="center",
            size=8,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": INK, "lw": 0.5, "alpha": 0.5, "shrinkA": 0}
            if up - height > MOVED
            else None,
        )


def _scale_costs(axes: Axes, costs: Sequence[float]) -> None:
    """Give costs a logarithmic axis of a decade or more, so that 3 % is not drawn as everything."""
    least, most = min(costs, default=0), max(costs, default=0)
    # "30k" for what is counted, "0.3" for what is measured: "300m" microseconds are no unit.
    counted = EngFormatter(sep="") if most >= 1000 else "{x:g}"
    if least <= 0:
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(counted)
        return
    axes.set_xscale("log")
    middle, half = math.sqrt(least * most), max(math.sqrt(most / least) * 1.25, math.sqrt(10))
    axes.set_xlim(middle / half, middle * half)
    steps = (1, 3) if half**2 < THREES_TO else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=8))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if least >= 1000 else "{x:g}")


def _front(points: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """List the points that no other beats, by rising cost: cheaper and better is none."""
    front: list[tuple[Any, Any]] = []
    for point in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front
