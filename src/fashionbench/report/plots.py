"""Results -> matplotlib figures: one function a plot, nothing written anywhere.

Text and axes are drawn in one colour, INK, on no background, so that a page can
replace it by its own and be read in the dark. Data colours are those of Okabe and
Ito (2008), which people with colour-blindness tell apart.
"""

import io
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, TypeVar

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from fashionbench.stats.intervals import summarize
from fashionbench.store.records import RunRecord, TestSet

__all__ = [
    "COSTS",
    "INK",
    "draw_pareto",
    "plot_accuracies",
    "plot_changes",
    "plot_class_scores",
    "plot_confusion",
    "plot_curves",
    "plot_hard_images",
    "plot_pareto",
    "plot_reliability",
    "plot_samples",
    "plot_schedule",
    "plot_time",
]

T = TypeVar("T")
Runs = Sequence[RunRecord]
Named = Sequence[tuple[str, Runs]]
"""The entries of a comparison: a name and the runs of each."""

INK = "#010203"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
SHAPES = (("o", "-"), ("s", "--"), ("^", ":"))
"""A marker and a line style for each time that the colours are used up."""
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


def _canvas(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    with rc_context(STYLE):
        figure = _Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        axes.set_title(title, loc="left")
    return figure, axes


def _legend(axes: Axes) -> None:
    """Beside the plot, where it covers no run."""
    if axes.get_legend_handles_labels()[0]:
        with rc_context(STYLE):
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


def _looks(entries: Sequence[tuple[str, T]]) -> Iterator[tuple[str, T, str, str, str]]:
    """Name, runs, colour, marker and line style of each entry, the same in every plot."""
    looks = list(product(SHAPES, COLOURS))
    for index, (name, entry) in enumerate(entries):
        (marker, line), colour = looks[index % len(looks)]
        yield name, entry, colour, marker, line


def plot_accuracies(entries: Named, test_set: TestSet) -> Figure:
    """Test accuracy of every run as a point, with mean and 95 % interval beside the points."""
    figure, axes = _canvas(
        f"Test accuracy of every run · {test_set.title}", WIDTH, 1.2 + 0.55 * len(entries)
    )
    for row, (_, runs, colour, marker, _) in enumerate(_looks(entries)):
        values = [100 * run.scores.accuracy for run in runs]
        summary = summarize(values)
        axes.plot(values, [row] * len(values), marker, color=colour, alpha=0.6, ms=6, mew=0)
        axes.plot(np.mean(values), row + 0.28, "D", color=INK, ms=4)
        if summary.low is not None and summary.high is not None:
            axes.plot([summary.low, summary.high], [row + 0.28] * 2, "-", color=INK, lw=1.2)
    axes.set_yticks(range(len(entries)), [name for name, _ in entries])
    axes.set_ylim(len(entries) - 0.4, -0.6)
    axes.set_xlabel("test accuracy, % (diamond and line: mean and its 95 % interval)")
    axes.grid(axis="x", alpha=0.25)
    return figure


def plot_curves(entries: Named, test_set: TestSet) -> Figure:
    """Loss while training: the mean over seeds in a band from the lowest to the highest.

    Diverged runs are left out: their mean is no number.
    """
    figure, axes = _canvas(f"Loss while training · {test_set.title}", WIDTH, 4.2)
    for name, runs, colour, _, line in _looks(entries):
        whole = [run for run in runs if run.outcome != "diverged"]
        if not whole:
            continue
        # Runs of one recipe have the same points, unless one ended early.
        points = min(len(run.curve) for run in whole)
        epochs = [epoch for epoch, _ in whole[0].curve[:points]]
        losses = np.array([[loss for _, loss in run.curve[:points]] for run in whole])
        axes.fill_between(
            epochs, losses.min(axis=0), losses.max(axis=0), color=colour, alpha=0.18, lw=0
        )
        point = "o" if points == 1 else ""  # which has no line
        axes.plot(epochs, losses.mean(axis=0), point + line, color=colour, label=name)
        if whole[0].validation_curve:
            checks = min(len(run.validation_curve) for run in whole)
            table = np.array([run.validation_curve[:checks] for run in whole])
            axes.plot(
                table[0, :, 0],
                table[:, :, 1].mean(axis=0),
                "o--",
                color=colour,
                ms=4,
                label=f"{name}, validation images",
            )
    axes.set_xlabel("epochs")
    axes.set_ylabel("mean cross-entropy, nats")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.25)
    _legend(axes)
    return figure


def plot_time(entries: Named, test_set: TestSet) -> Figure:
    """Test accuracy against training time, one point a run."""
    figure, axes = _canvas(f"Test accuracy against training time · {test_set.title}", WIDTH, 4.2)
    for name, runs, colour, marker, _ in _looks(entries):
        timed = np.array(
            [
                (run.train_seconds, 100 * run.scores.accuracy)
                for run in runs
                if run.train_seconds is not None
            ]
        )
        if len(timed):
            axes.plot(*timed.T, marker, color=colour, alpha=0.6, mew=0, label=name)
            axes.plot(*timed.mean(axis=0), "D", color=colour, mec=INK, ms=7)
    axes.set_xlim(left=0)
    axes.set_xlabel("training time of one run, seconds (diamond: mean over runs)")
    axes.set_ylabel("test accuracy, %")
    axes.grid(alpha=0.25)
    _legend(axes)
    return figure


def plot_pareto(entries: Named, test_set: TestSet) -> Figure:
    """Mean accuracy over what it costs; the line is the Pareto front.

    Of a pair of models on the line the dearer is the more accurate; a model beside it is beaten
    by another that costs no more. Times are means over the runs that were alone on the device.
    """
    points = [
        (name, (float(np.mean([run.scores.accuracy for run in runs])), _mean_costs(runs, test_set)))
        for name, runs in entries
    ]
    return draw_pareto(points, test_set.title)


def _mean_costs(runs: Runs, test_set: TestSet) -> dict[str, float]:
    """What a run cost, on average over those in which it was measured, by the names in COSTS."""
    found = {
        name: [value for run in runs if (value := cost(run, len(test_set.labels))) is not None]
        for name, cost in COSTS.items()
    }
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def draw_pareto(
    points: Sequence[tuple[str, tuple[float, Mapping[str, float]]]], title: str
) -> Figure:
    """The plot of `plot_pareto` from names, accuracies and costs by their names in COSTS."""
    with rc_context(STYLE):
        figure = _Figure(figsize=(WIDTH, 6.6), layout="constrained")
        figure.suptitle(f"What accuracy costs · {title}", x=0.01, ha="left")
        panels = figure.subplots(2, 2, sharey=True)
    for axes, label in zip(panels.flat, COSTS, strict=True):
        paid = []
        for name, (accuracy, cost), colour, marker, _ in _looks(points):
            if label in cost:
                paid.append((cost[label], 100 * accuracy))
                axes.plot(*paid[-1], marker, color=colour, ms=7, mec=INK, mew=0.5, label=name)
        axes.plot(*zip(*_front(paid), strict=True), "-", color=INK, lw=1, alpha=0.5, zorder=0)
        costs = [cost for cost, _ in paid]
        spread = max(costs) / min(costs) if min(costs, default=0) else 1
        if spread > LOG_FROM:
            axes.set_xscale("log")
            steps = (1, 3) if spread < THREES_TO else (1,)
            axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=8))
            axes.xaxis.set_minor_formatter(NullFormatter())
        # "30k" for what is counted, "0.3" for what is measured: "300m" microseconds are no unit.
        axes.xaxis.set_major_formatter(
            EngFormatter(sep="") if min(costs, default=0) >= 1000 else "{x:g}"
        )
        axes.set_xlabel(label)
        axes.grid(alpha=0.25)
    for axes in panels[:, 0]:
        axes.set_ylabel("test accuracy, %")
    _legend(panels[0, 1])
    return figure


LOG_FROM = 5
"""The dearest over the cheapest from which a logarithmic scale shows more."""
THREES_TO = 1000
"""And to which there is room for 3, 30, 300 between 1, 10, 100."""

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


def _front(points: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The points that no other beats, by rising cost: cheaper and better is none."""
    front: list[tuple[Any, Any]] = []
    for point in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front


def plot_reliability(entries: Named, test_set: TestSet) -> Figure:
    """How often a model is right against how sure it is; bins of confidence, all runs together."""
    figure, axes = _canvas(f"Confidence and accuracy · {test_set.title}", WIDTH, 4.6)
    axes.plot([0, 100], [0, 100], "-", color=INK, alpha=0.4, lw=1)
    for name, runs, colour, marker, line in _looks(entries):
        bins = np.array([run.scores.calibration for run in runs if run.outcome != "diverged"])
        if not bins.size:
            continue
        images = bins[:, :, 0].sum(axis=0)
        # A bin of few images says little: below one in a thousand it is left out.
        full = images >= images.sum() / 1000
        confidence, accuracy = (
            100 * (bins[:, :, 0] * bins[:, :, column]).sum(axis=0)[full] / images[full]
            for column in (1, 2)
        )
        axes.plot(confidence, accuracy, marker + line, color=colour, ms=4, label=name)
    axes.set_xlabel("confidence: mean probability of the predicted class, %")
    axes.set_ylabel("accuracy, %")
    axes.grid(alpha=0.25)
    _legend(axes)
    return figure


def plot_confusion(name: str, runs: Runs, test_set: TestSet) -> Figure:
    """Of the images of each true class, the percentage called each class; mean over runs."""
    title = textwrap.fill(f"{name}: what is taken for what · {test_set.title}", 52)
    figure, axes = _canvas(title, 6.4, 5.6)
    counts = np.mean([run.scores.confusion for run in runs], axis=0)
    percent = 100 * counts / counts.sum(axis=1, keepdims=True)
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (row, column), value in np.ndenumerate(percent):
        if value >= 0.5:
            # On the heat map's own colours, whatever the page's background is.
            colour = "white" if value > 55 else "#123"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, size=9)
    classes = range(len(test_set.classes))
    axes.set_xticks(classes, test_set.classes, rotation=45, ha="right")
    axes.set_yticks(classes, test_set.classes)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return figure


def plot_class_scores(entries: Named, test_set: TestSet) -> Figure:
    """Recall (filled) and precision (hollow) of each class, mean over runs, a colour a model."""
    figure, axes = _canvas(f"Recall and precision by class · {test_set.title}", WIDTH, 5)
    offsets = np.linspace(-0.3, 0.3, len(entries) + 2)[1:-1]
    rows = np.arange(len(test_set.classes))
    for (name, runs, colour, marker, _), offset in zip(_looks(entries), offsets, strict=True):
        recall = 100 * np.mean([run.scores.recall for run in runs], axis=0)
        precision = 100 * np.mean([run.scores.precision for run in runs], axis=0)
        axes.plot(recall, rows + offset, marker, color=colour, ms=5, label=name)
        axes.plot(precision, rows + offset, marker, color=colour, ms=5, mfc="none")
    axes.set_yticks(rows, test_set.classes)
    axes.invert_yaxis()
    axes.set_xlabel("recall (filled) and precision (hollow), %")
    axes.grid(axis="x", alpha=0.25)
    _legend(axes)
    return figure


def plot_hard_images(entries: Named, test_set: TestSet, count: int = 24) -> Figure:
    """The test images that most runs get wrong, with what they are and were mostly taken for."""
    predicted = np.stack([run.predicted for _, runs in entries for run in runs])
    wrong = (predicted != test_set.labels).sum(axis=0)
    # Stable, so that images missed equally often come in the order of the test set.
    hardest = np.argsort(-wrong, kind="stable")[: min(count, np.count_nonzero(wrong))]
    captions = []
    for index in hardest:
        calls = predicted[:, index]
        taken = test_set.classes[np.bincount(calls[calls != test_set.labels[index]]).argmax()]
        true = test_set.classes[test_set.labels[index]]
        captions.append(f"{true}\n→ {taken}\n{wrong[index]} of {len(predicted)}")
    return _sheet(
        test_set.images[hardest],
        captions,
        8,
        f"Images that most runs get wrong: true class → taken for · {test_set.title}",
    )


def plot_samples(
    images: NDArray[np.uint8], labels: NDArray[Any], classes: Sequence[str], title: str
) -> Figure:
    """A row of ten images for each class, the first of the data set."""
    blank = np.zeros((10, *images.shape[1:]), images.dtype)  # for what a small class lacks
    rows = [np.concatenate([images[labels == k][:10], blank])[:10] for k in range(len(classes))]
    captions = ["" if i % 10 else classes[i // 10] for i in range(10 * len(classes))]
    return _sheet(np.concatenate(rows), captions, 10, f"Samples · {title}")


def plot_schedule(epochs: Sequence[float], rates: Sequence[float], name: str) -> Figure:
    """The learning rate of a recipe over its epochs."""
    figure, axes = _canvas(f"Learning rate of {name}", WIDTH, 3)
    axes.plot(epochs, rates, color=COLOURS[0])
    axes.set(xlabel="epochs", ylabel="learning rate", ylim=(0, 1.05 * max(rates)))
    return figure


def plot_changes(rows: Sequence[tuple[str, NDArray[np.uint8]]], title: str) -> Figure:
    """A row for each change: its name, an image as it was, then the images made of it."""
    count = len(rows[0][1])
    captions = [f"{label}\nas it was" if k == 0 else "" for label, _ in rows for k in range(count)]
    return _sheet(np.concatenate([images for _, images in rows]), captions, count, title)


def _sheet(images: NDArray[np.uint8], captions: Sequence[str], columns: int, title: str) -> Figure:
    """The images in rows, each with its caption above, as one picture: quicker than many axes."""
    rows = -(-len(images) // columns)
    height, width = images.shape[1:]
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    cell_height, cell_width = round(height * (1.1 + 0.16 * lines)), round(width * 1.15)
    sheet = np.ma.MaskedArray(np.zeros((rows * cell_height, columns * cell_width)), mask=True)
    figure, axes = _canvas(title, columns * 1.15, 0.6 + rows * 1.15 * cell_height / cell_width)
    axes.set_axis_off()
    for position, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(position, columns)
        bottom, left = (row + 1) * cell_height, column * cell_width
        sheet[bottom - height : bottom, left : left + width] = image
        axes.text(left, bottom - height - 1, caption, size=8, va="bottom", color=INK)
    if rows:
        axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="none")
    return figure
