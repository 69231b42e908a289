"""The plots show the numbers that they are given, under a title that names the data set."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from factories import CLASSES, IMAGES, LABELS, make_result
from matplotlib.figure import Figure

from fashionbench.experiments.result import Result
from fashionbench.report.figures import draw_figure
from fashionbench.report.plots import (
    COSTS,
    draw_pareto,
    plot_confusion,
    plot_hard_images,
    plot_pareto,
    plot_samples,
    plot_time,
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


def test_the_front_joins_what_nothing_beats(result: Result) -> None:
    (first, *_), named = result.entries[0].runs, []
    for name, parameters, accuracy in (
        ("dear", 300, 0.9),
        ("beaten", 200, 0.7),
        ("cheap", 100, 0.8),
        ("same price", 100, 0.6),
    ):
        scores = replace(first.scores, accuracy=accuracy)
        run = replace(first, parameters=parameters, scores=scores)
        named.append((name, [run]))
    panel = plot_pareto(named, result.test_set).axes[0]
    (line,) = (line for line in panel.lines if line.get_linestyle() == "-")
    np.testing.assert_allclose(line.get_xydata(), [(100, 80), (300, 90)])


@pytest.mark.parametrize("costs", [(7e3, 5e6), (15_680, 8e9), (0.9, 510), (0, 15_680), (2, 3)])
def test_labels_of_costs_do_not_touch(costs: tuple[float, float]) -> None:
    points = [(f"{cost:g}", (0.9, dict.fromkeys(COSTS, cost))) for cost in costs]
    figure = draw_pareto(points, "A set")
    figure.draw_without_rendering()
    for axes in figure.axes:
        shown = [text for text in axes.get_xticklabels() if text.get_text()]
        boxes = [text.get_window_extent() for text in shown]
        assert len(boxes) > 2
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_no_two_of_fourteen_entries_look_alike(result: Result) -> None:
    many = [(str(index), result.entries[0].runs) for index in range(14)]
    lines = plot_time(many, result.test_set).axes[0].lines[::2]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 14


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


def test_the_hardest_images_come_first(result: Result) -> None:
    entries = [(entry.model, entry.runs) for entry in result.entries]
    figure = plot_hard_images(entries, result.test_set, count=5)
    wrong = sum(
        (run.predicted != LABELS).astype(int) for entry in result.entries for run in entry.runs
    )
    counts = [int(text.get_text().split("\n")[2].split()[0]) for text in figure.axes[0].texts]
    assert counts == sorted(wrong, reverse=True)[:5]


def test_images_that_no_run_misses_are_not_hard(result: Result) -> None:
    perfect = [replace(run, predicted=result.test_set.labels) for run in result.entries[0].runs]
    assert not plot_hard_images([("perfect", perfect)], result.test_set).axes[0].images


def test_samples_are_ten_of_each_class() -> None:
    figure = plot_samples(IMAGES, LABELS, CLASSES, "A set")
    sheet = figure.axes[0].images[0].get_array()
    cells = sheet.reshape(10, -1, 10, sheet.shape[1] // 10).swapaxes(1, 2)
    np.testing.assert_array_equal(cells[1, :, -28:, :28], IMAGES[LABELS == 1][:10])
    assert [text.get_text() for text in figure.axes[0].texts if text.get_text()] == [*CLASSES]
    assert "A set" in title_of(figure)
