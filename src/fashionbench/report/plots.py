"""Runs -> matplotlib figures: one function a plot, nothing written anywhere."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashionbench.report.entries import NamedRuns
from fashionbench.report.style import (
    COLORS,
    INK,
    WIDTH,
    Look,
    add_legend,
    assign_looks,
    start_figure,
)
from fashionbench.stats.intervals import Summary, summarize_fractions
from fashionbench.store.records import RunRecord, TestSet

__all__ = [
    "plot_accuracies",
    "plot_class_scores",
    "plot_confusion",
    "plot_curves",
    "plot_reliability",
    "plot_schedule",
    "plot_time",
]

SEEDS_FOR_A_BAR = 4
"""An interval of fewer seeds says next to nothing, and would squeeze the points together."""


def plot_accuracies(
    entries: NamedRuns, test_set: TestSet, summaries: Sequence[Summary] | None = None
) -> Figure:
    """Draw the test accuracy of every run as a point, with mean and 95 % interval beside them.

    `summaries` are means and intervals of the entries where runs are not independent. Of fewer
    seeds than SEEDS_FOR_A_BAR there is no interval: it would be wider than the plot.
    """
    figure, axes = start_figure(
        f"Test accuracy of every run · {test_set.title}", WIDTH, 1.2 + 0.55 * len(entries)
    )
    for row, (_, runs, look) in enumerate(assign_looks(entries)):
        accuracies = [run.scores.accuracy for run in runs]
        summary = summaries[row] if summaries else summarize_fractions(accuracies)
        rows = [row] * len(accuracies)
        values = [100 * value for value in accuracies]
        axes.plot(values, rows, look.marker, color=look.color, alpha=0.6, ms=6, mew=0)
        axes.plot(np.mean(values), row + 0.28, "D", color=INK, ms=4)
        if summary.low is not None and summary.high is not None and summary.n >= SEEDS_FOR_A_BAR:
            ends = [100 * summary.low, 100 * summary.high]
            axes.plot(ends, [row + 0.28] * 2, "-", color=INK, lw=1.2)
    axes.set_yticks(range(len(entries)), [name for name, _ in entries])
    axes.set_ylim(len(entries) - 0.4, -0.6)
    axes.set_xlabel("test accuracy, % (diamond: mean; line: its 95 % interval, from four seeds on)")
    axes.grid(axis="x", alpha=0.25)
    return figure


def plot_curves(entries: NamedRuns, test_set: TestSet) -> Figure:
    """Draw the loss while training: the mean over seeds in a band from the lowest to the highest.

    Diverged runs are left out: their mean is no number.
    """
    figure, axes = start_figure(f"Loss while training · {test_set.title}", WIDTH, 4.2)
    for name, runs, look in assign_looks(entries):
        whole = [run for run in runs if run.outcome != "diverged" and run.curve]
        if not whole:
            continue
        # Runs of one recipe have the same points, unless one ended early.
        points = min(len(run.curve) for run in whole)
        epochs = [epoch for epoch, _ in whole[0].curve[:points]]
        losses = np.array([[loss for _, loss in run.curve[:points]] for run in whole])
        low, high = losses.min(axis=0), losses.max(axis=0)
        axes.fill_between(epochs, low, high, color=look.color, alpha=0.18, lw=0)
        point = "o" if points == 1 else ""  # which has no line
        axes.plot(epochs, losses.mean(axis=0), point + look.line, color=look.color, label=name)
        if whole[0].validation_curve:
            _add_validation(axes, whole, look, f"{name}, validation images")
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


def plot_time(entries: NamedRuns, test_set: TestSet) -> Figure:
    """Draw test accuracy against training time, one point a run."""
    title = f"Test accuracy against training time · {test_set.title}"
    figure, axes = start_figure(title, WIDTH, 4.2)
    for name, runs, look in assign_looks(entries):
        timed = np.array(
            [
                (run.train_seconds, 100 * run.scores.accuracy)
                for run in runs
                if run.train_seconds is not None
            ]
        )
        if len(timed):
            axes.plot(*timed.T, look.marker, color=look.color, alpha=0.6, mew=0, label=name)
            axes.plot(*timed.mean(axis=0), "D", color=look.color, mec=INK, ms=7)
    axes.set_xlim(left=0)
    axes.set_xlabel("training time of one run, seconds (diamond: mean over runs)")
    axes.set_ylabel("test accuracy, %")
    axes.grid(alpha=0.25)
    add_legend(axes)
    return figure


def plot_reliability(entries: NamedRuns, test_set: TestSet) -> Figure:
    """Draw how often a model is right against how sure it is, over all of its runs."""
    figure, axes = start_figure(f"Confidence and accuracy · {test_set.title}", WIDTH, 4.6)
    axes.plot([0, 100], [0, 100], "-", color=INK, alpha=0.4, lw=1)
    for name, runs, look in assign_looks(entries):
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
        axes.plot(confidence, accuracy, look.marker + look.line, color=look.color, ms=4, label=name)
    axes.set_xlabel("confidence: mean probability of the predicted class, %")
    axes.set_ylabel("accuracy, %")
    axes.grid(alpha=0.25)
    add_legend(axes)
    return figure


def plot_confusion(name: str, runs: Sequence[RunRecord], test_set: TestSet) -> Figure:
    """Draw the percentage of each true class that is called each class; mean over runs."""
    title = textwrap.fill(f"{name}: confusion matrix · {test_set.title}", 52)
    figure, axes = start_figure(title, 6.4, 5.6)
    counts = np.mean([run.scores.confusion for run in runs], axis=0)
    percent = 100 * counts / counts.sum(axis=1, keepdims=True)
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (row, column), value in np.ndenumerate(percent):
        if value >= 0.5:
            # On the heat map's own colors, whatever the page's background is.
            ink = "white" if value > 55 else "#123"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=ink, size=9)
    classes = range(len(test_set.classes))
    axes.set_xticks(classes, test_set.classes, rotation=45, ha="right")
    axes.set_yticks(classes, test_set.classes)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return figure


def plot_class_scores(entries: NamedRuns, test_set: TestSet) -> Figure:
    """Draw recall (filled) and precision (hollow) of each class, mean over runs."""
    figure, axes = start_figure(f"Recall and precision by class · {test_set.title}", WIDTH, 5)
    offsets = np.linspace(-0.3, 0.3, len(entries) + 2)[1:-1]
    rows = np.arange(len(test_set.classes))
    for (name, runs, look), offset in zip(assign_looks(entries), offsets, strict=True):
        recall = 100 * np.mean([run.scores.recall for run in runs], axis=0)
        precision = 100 * np.mean([run.scores.precision for run in runs], axis=0)
        axes.plot(recall, rows + offset, look.marker, color=look.color, ms=5, label=name)
        axes.plot(precision, rows + offset, look.marker, color=look.color, ms=5, mfc="none")
    axes.set_yticks(rows, test_set.classes)
    axes.invert_yaxis()
    axes.set_xlabel("recall (filled) and precision (hollow), %")
    axes.grid(axis="x", alpha=0.25)
    add_legend(axes)
    return figure


def plot_schedule(epochs: Sequence[float], rates: Sequence[float], name: str) -> Figure:
    """Draw the learning rate of a recipe over its epochs."""
    figure, axes = start_figure(f"Learning rate of {name}", WIDTH, 3)
    axes.plot(epochs, rates, color=COLORS[0])
    axes.set(xlabel="epochs", ylabel="learning rate", ylim=(0, 1.05 * max(rates)))
    return figure
