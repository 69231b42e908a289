"""Runs -> matplotlib figures: one function a plot, nothing written anywhere."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fashionbench.report.entries import SEEDS_FOR_A_BAR, NamedRuns, Pair
from fashionbench.report.numbers import format_size
from fashionbench.report.style import (
    COLORS,
    GREY,
    IN_FRONT,
    INK,
    WIDTH,
    Look,
    add_legend,
    assign_looks,
    start_figure,
)
from fashionbench.stats.intervals import Summary
from fashionbench.store.records import RunRecord, TestSet

__all__ = [
    "confusion_percent",
    "plot_accuracies",
    "plot_class_scores",
    "plot_confusion",
    "plot_curves",
    "plot_differences",
    "plot_reliability",
    "plot_schedule",
    "plot_time",
]

MOST_BANDS = 4
LEAST_GAP = 0.05
"""The part of the axis that lies between two points with words above them, or these overlap."""
LEAST_SHOWN = 0.5
"""Percent above which a cell of a confusion matrix has its number."""
VERDICT_COLORS = {
    "better": COLORS[2],
    "worse": COLORS[1],
    "no difference": COLORS[0],
    "not decided": GREY,
}


def plot_accuracies(entries: NamedRuns, test_set: TestSet, summaries: Sequence[Summary]) -> Figure:
    """Draw the test accuracy of every run as a point, with mean and 95 % interval beside them.

    `summaries` are these means and intervals, one an entry. Of fewer seeds than SEEDS_FOR_A_BAR
    there is no interval: it would be wider than the plot. A run that never predicts some class has
    their names beside its point.
    """
    figure, axes = start_figure(
        f"Test accuracy of every run · {test_set.title}", WIDTH, 1.2 + 0.5 * len(entries)
    )
    names = [name for name, _ in entries]
    for name, runs, look in assign_looks(entries):
        row = names.index(name)
        summary, values = summaries[row], [100 * run.scores.accuracy for run in runs]
        rows = [row] * len(values)
        axes.plot(values, rows, look.marker, color=look.color, alpha=0.6, ms=6, mew=0)
        if summary.mean is not None:
            axes.plot(100 * summary.mean, row + 0.28, "D", color=INK, ms=4)
        if summary.low is not None and summary.high is not None and summary.n >= SEEDS_FOR_A_BAR:
            ends = [100 * summary.low, 100 * summary.high]
            axes.plot(ends, [row + 0.28] * 2, "-", color=INK, lw=1.2)
    for row, (_, runs) in enumerate(entries[:IN_FRONT]):
        _name_dead_classes(axes, row, runs, test_set.classes)
    axes.set_yticks(range(len(entries)), names)
    axes.set_ylim(len(entries) - 0.4, -0.6)
    axes.set_xlabel("test accuracy, % (diamond: mean; line: its 95 % interval, from four seeds on)")
    axes.grid(axis="x", alpha=0.25)
    return figure


def _name_dead_classes(
    axes: Axes, row: int, runs: Sequence[RunRecord], classes: Sequence[str]
) -> None:
    """Write above a run's point which classes it never predicts; none where there is no room."""
    lost = [run for run in runs if run.outcome == "ok" and run.dead_classes]
    left, right = axes.get_xlim()
    gaps = np.diff(sorted(100 * run.scores.accuracy for run in lost))
    has_room = all(gaps > LEAST_GAP * (right - left))
    for run in lost if has_room else []:
        names = [classes[index] for index in run.dead_classes]
        axes.annotate(
            f"no {', '.join(names)}" if len(names) <= 2 else f"{len(names)} classes lost",
            (100 * run.scores.accuracy, row),
            xytext=(0, 5),
            textcoords="offset points",
            size=7,
            rotation=18,
            color=INK,
        )


def plot_differences(pairs: Sequence[Pair], smallest: float, title: str) -> Figure:
    """Draw a row for each pair: difference and interval around zero, in the verdict's color.

    A band behind them shows the differences that are smaller than the `smallest` of interest.

    The interval is the one that the verdict is read from. Of fewer seeds than SEEDS_FOR_A_BAR there
    is none.
    """
    figure, axes = start_figure(
        f"Differences of test accuracy · {title}", WIDTH, 1.2 + 0.36 * len(pairs)
    )
    axes.axvline(0, color=INK, lw=1, alpha=0.5)
    band, size = 100 * smallest, format_size(smallest)
    axes.axvspan(-band, band, color=GREY, alpha=0.15, lw=0, label=f"within {size}")
    for row, pair in enumerate(pairs):
        color = VERDICT_COLORS[pair.verdict.word]
        low, high = (100 * end for end in pair.interval)
        if pair.found.n >= SEEDS_FOR_A_BAR and np.isfinite(low):
            axes.plot([low, high], [row, row], "-", color=color, lw=2.2, solid_capstyle="butt")
        axes.plot(100 * pair.found.difference, row, "o", color=color, ms=6)
    axes.set_yticks(range(len(pairs)), [f"{pair.a} − {pair.b}" for pair in pairs])
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.set_xlabel("difference of test accuracy, percentage points")
    words = dict.fromkeys(pair.verdict.word for pair in pairs)
    for word in words:
        axes.plot([], [], "o-", color=VERDICT_COLORS[word], label=f"first: {word}")
    axes.grid(axis="x", alpha=0.25)
    add_legend(axes)
    return figure


def plot_curves(entries: NamedRuns, test_set: TestSet) -> Figure:
    """Draw the loss while training: the mean over seeds in a band from the lowest to the highest.

    More than MOST_BANDS entries have no bands, which would hide each other.
    Diverged runs are left out: their mean is no number.
    """
    figure, axes = start_figure(f"Loss while training · {test_set.title}", WIDTH, 4.2)
    for _, runs, look in assign_looks(entries):
        whole = [run for run in runs if run.outcome != "diverged" and run.curve]
        if not whole:
            continue
        # Runs of one recipe have the same points, unless one ended early.
        points = min(len(run.curve) for run in whole)
        epochs = [epoch for epoch, _ in whole[0].curve[:points]]
        losses = np.array([[loss for _, loss in run.curve[:points]] for run in whole])
        if len(entries) <= MOST_BANDS:
            low, high = losses.min(axis=0), losses.max(axis=0)
            axes.fill_between(epochs, low, high, color=look.color, alpha=0.18, lw=0)
        point = "o" if points == 1 else ""  # which has no line
        axes.plot(
            epochs, losses.mean(axis=0), point + look.line, color=look.color, label=look.label
        )
        if whole[0].validation_curve and look.front:
            _add_validation(axes, whole, look, f"{look.label}, validation images")
    axes.set_xlabel("epochs")
    axes.set_ylabel("mean cross-entropy, nats")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.25)
    add_legend(axes)
    return figure


def _add_validation(axes: Axes, runs: Sequence[RunRecord], look: Look, label: str) -> None:
    """Draw the mean validation loss of runs, as far as all have one."""
    checks = min(len(run.validation_curve) for run in runs)
    table = np.array([run.validation_curve[:checks] for run in runs])
    epochs, losses = table[0, :, 0], table[:, :, 1].mean(axis=0)
    axes.plot(epochs, losses, "o--", color=look.color, ms=4, label=label)


def plot_time(entries: NamedRuns, test_set: TestSet, means: Sequence[float]) -> Figure:
    """Draw test accuracy against training time, one point a run that was timed.

    The diamond is what the table says of the model: its mean accuracy, given in `means`, and the
    median time of the runs that were timed.
    """
    title = f"Test accuracy against training time · {test_set.title}"
    figure, axes = start_figure(title, WIDTH, 4.2)
    with_means = [(name, (runs, mean)) for (name, runs), mean in zip(entries, means, strict=True)]
    for _, (runs, mean), look in assign_looks(with_means):
        timed = [(run.train_seconds, 100 * run.scores.accuracy) for run in runs]
        timed = [(seconds, accuracy) for seconds, accuracy in timed if seconds is not None]
        if timed:
            points = np.array(timed)
            axes.plot(*points.T, look.marker, color=look.color, alpha=0.6, mew=0, label=look.label)
            axes.plot(np.median(points[:, 0]), 100 * mean, "D", color=look.color, mec=INK, ms=7)
    axes.set_xlim(left=0)
    axes.set_xlabel("training time of one run, seconds (diamond: median time, mean accuracy)")
    axes.set_ylabel("test accuracy, %")
    axes.grid(alpha=0.25)
    add_legend(axes)
    return figure


def plot_reliability(entries: NamedRuns, test_set: TestSet) -> Figure:
    """Draw by how much a model is right more often than it says, over all of its runs."""
    figure, axes = start_figure(f"Calibration · {test_set.title}", WIDTH, 4.2)
    axes.axhline(0, color=INK, alpha=0.5, lw=1)
    for _, runs, look in assign_looks(entries):
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
        axes.plot(
            confidence,
            accuracy - confidence,
            look.marker + look.line,
            color=look.color,
            ms=4,
            label=look.label,
        )
    axes.set_xlabel("confidence: mean probability of the predicted class, %")
    axes.set_ylabel("accuracy minus confidence, points")
    axes.grid(alpha=0.25)
    add_legend(axes)
    return figure


def plot_confusion(name: str, runs: Sequence[RunRecord], test_set: TestSet) -> Figure:
    """Draw the percentage of each true class that is called each class; mean over runs."""
    title = textwrap.fill(f"{name}: confusion matrix · {test_set.title}", 52)
    figure, axes = start_figure(title, 5.6, 5)
    percent = confusion_percent(runs)
    # Blue of more or less opacity, so that it is legible on a dark page too.
    shades = np.zeros((*percent.shape, 4))
    shades[..., :3] = to_rgb(COLORS[0])
    shades[..., 3] = np.sqrt(percent / 100)
    axes.imshow(shades)
    for (row, column), value in np.ndenumerate(percent):
        if value > LEAST_SHOWN:
            ink = "white" if value > 45 else INK
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=ink, size=9)
    classes = range(len(test_set.classes))
    axes.set_xticks(classes, test_set.classes, rotation=45, ha="right")
    axes.set_yticks(classes, test_set.classes)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return figure


def confusion_percent(runs: Sequence[RunRecord]) -> NDArray[np.float64]:
    """Return (K, K): the mean over runs of the percentage of a true class that is called each."""
    counts = np.mean([run.scores.confusion for run in runs], axis=0)
    return np.asarray(100 * counts / counts.sum(axis=1, keepdims=True))


def plot_class_scores(entries: NamedRuns, test_set: TestSet) -> Figure:
    """Draw recall (filled) and precision (hollow) of each class, joined by a line, mean over runs.

    The classes that are found best come first. Entries that would be grey are left out.
    """
    shown = [(name, runs, look) for name, runs, look in assign_looks(entries) if look.front]
    scores = [[(run.scores.recall, run.scores.precision) for run in runs] for _, runs, _ in shown]
    recalls, precisions = 100 * np.array([np.mean(runs, axis=0) for runs in scores]).swapaxes(0, 1)
    order = np.argsort(-recalls.mean(axis=0), kind="stable")
    height = max(5, 0.12 * len(shown) * len(order))
    title = f"Recall and precision by class · {test_set.title}"
    figure, axes = start_figure(title, WIDTH, height)
    rows, offsets = np.arange(len(order)), np.linspace(-0.33, 0.33, len(shown) + 2)[1:-1]
    for (_, _, look), recall, precision, offset in zip(
        shown, recalls[:, order], precisions[:, order], offsets, strict=True
    ):
        axes.hlines(rows + offset, recall, precision, color=look.color, lw=1, alpha=0.6)
        axes.plot(recall, rows + offset, look.marker, color=look.color, ms=5, label=look.label)
        axes.plot(precision, rows + offset, look.marker, color=look.color, ms=5, mfc="none")
    for label, face in (("recall", INK), ("precision", "none")):
        axes.plot([], [], "o", color=INK, mfc=face, ms=5, label=label)
    axes.set_yticks(rows, [test_set.classes[index] for index in order])
    axes.invert_yaxis()
    axes.set_xlabel("recall and precision, %")
    axes.grid(axis="x", alpha=0.25)
    add_legend(axes)
    return figure


def plot_schedule(epochs: Sequence[float], rates: Sequence[float], name: str) -> Figure:
    """Draw the learning rate of a recipe over its epochs."""
    figure, axes = start_figure(f"Recipe “{name}”: learning rate", WIDTH, 3)
    axes.plot(epochs, rates, color=COLORS[0])
    axes.set(xlabel="epochs", ylabel="learning rate", ylim=(0, 1.05 * max(rates)))
    return figure
