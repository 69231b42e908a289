"""The plots show the numbers that they are given, under a title that names the data set."""

import numpy as np
import pytest
from factories import CLASSES, make_result
from matplotlib.figure import Figure

from fashionbench.experiments.result import Result
from fashionbench.report.figures import draw_figure
from fashionbench.report.plots import (
    plot_confusion,
)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return make_result(tmp_path_factory.mktemp("plots"))


def drawn(figure: Figure, *markers: str) -> np.ndarray:
    """(points, 2) of all lines with one of the markers."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() in markers]
    return np.concatenate([line.get_xydata() for line in lines])


def title_of(figure: Figure) -> str:
    return figure.get_suptitle() or figure.axes[0].get_title(loc="left")


def test_every_run_is_a_point(result: Result) -> None:
    figure = draw_figure(result, "accuracies")
    runs = [100 * run.scores.accuracy for entry in result.entries for run in entry.runs]
    np.testing.assert_allclose(drawn(figure, "o")[:, 0], runs)


def test_accuracy_stands_against_the_time_of_the_same_run(result: Result) -> None:
    figure = draw_figure(result, "time")
    runs = [
        [(run.train_seconds, 100 * run.scores.accuracy) for run in entry.runs]
        for entry in result.entries
    ]
    np.testing.assert_allclose(drawn(figure, "o"), np.concatenate(runs))
    np.testing.assert_allclose(drawn(figure, "D"), np.mean(runs, axis=1))


def test_class_scores_are_means_over_runs(result: Result) -> None:
    points = drawn(draw_figure(result, "classes"), "o")[:, 0].reshape(-1, 2, len(CLASSES))
    for entry, (recall, precision) in zip(result.entries, points, strict=True):
        for shown, name in ((recall, "recall"), (precision, "precision")):
            runs = [getattr(run.scores, name) for run in entry.runs]
            np.testing.assert_allclose(shown, 100 * np.mean(runs, axis=0))


def test_the_band_reaches_from_the_lowest_to_the_highest_seed(result: Result) -> None:
    axes = draw_figure(result, "curves").axes[0]
    for entry, line, band in zip(result.entries, axes.lines, axes.collections, strict=True):
        losses = np.array([[loss for _, loss in run.curve] for run in entry.runs])
        np.testing.assert_allclose(line.get_ydata(), losses.mean(axis=0))
        heights = band.get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == (losses.min(), losses.max())


def test_rows_of_the_confusion_sum_to_100(result: Result) -> None:
    entry = result.entries[0]
    image = plot_confusion("v0", entry.runs, result.test_set).axes[0].images[0].get_array()
    np.testing.assert_allclose(image.sum(axis=1), 100)
    recall = np.mean([run.scores.recall for run in entry.runs], axis=0)
    np.testing.assert_allclose(np.diag(image), 100 * recall)
