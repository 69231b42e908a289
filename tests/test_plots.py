"""The plots show the numbers that they are given, under a title that names the data set."""

import numpy as np
import pytest
from factories import CLASSES, IMAGES, LABELS, make_result
from matplotlib.figure import Figure

from fashionbench.plots import plot_confusion, plot_hard_images, plot_samples
from fashionbench.report import FIGURES, draw_figure
from fashionbench.result import Result


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return make_result(tmp_path_factory.mktemp("plots"))


def title_of(figure: Figure) -> str:
    return figure.get_suptitle() or figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize("name", FIGURES)
def test_every_title_names_the_data_set(name: str, result: Result) -> None:
    assert "Silhouettes (a title)" in title_of(draw_figure(result, name))


def test_every_run_is_a_point(result: Result) -> None:
    axes = draw_figure(result, "accuracies").axes[0]
    drawn = np.concatenate([line.get_xdata() for line in axes.lines if line.get_marker() == "o"])
    runs = [100 * run.scores.accuracy for entry in result.entries for run in entry.runs]
    np.testing.assert_allclose(drawn, runs)


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


def test_the_hardest_images_come_first(result: Result) -> None:
    entries = [(entry.model, entry.runs) for entry in result.entries]
    figure = plot_hard_images(entries, result.test_set, count=5)
    wrong = sum(
        (run.predicted != LABELS).astype(int) for entry in result.entries for run in entry.runs
    )
    counts = [int(axes.get_title(loc="left").split("\n")[2].split()[0]) for axes in figure.axes[:5]]
    assert counts == sorted(wrong, reverse=True)[:5]


def test_samples_are_ten_of_each_class() -> None:
    figure = plot_samples(IMAGES, LABELS, CLASSES, "A set")
    shown = np.stack([axes.images[0].get_array() for axes in figure.axes])
    np.testing.assert_array_equal(shown[10:20], IMAGES[LABELS == 1][:10])
    assert "A set" in title_of(figure)
