"""The plots show the numbers that they are given, under a title that names the data set."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import CLASSES, make_result
from matplotlib.figure import Figure

from fashionbench.experiments.result import Result
from fashionbench.report.figures import draw_figure
from fashionbench.report.plots import VERDICT_COLORS, plot_confusion
from fashionbench.report.style import GREY


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
    entries = [row.entry for row in result.ranking]
    runs = [100 * run.scores.accuracy for entry in entries for run in entry.runs]
    np.testing.assert_allclose(drawn(figure, "o")[:, 0], runs)


def test_accuracy_stands_against_the_time_of_the_same_run(result: Result) -> None:
    figure = draw_figure(result, "time")
    runs = [
        [(run.train_seconds, 100 * run.scores.accuracy) for run in entry.runs]
        for entry in (row.entry for row in result.ranking)
    ]
    np.testing.assert_allclose(drawn(figure, "o"), np.concatenate(runs))
    diamonds = [(np.median(np.array(each)[:, 0]), np.mean(each, axis=0)[1]) for each in runs]
    np.testing.assert_allclose(drawn(figure, "D"), diamonds)


def test_the_diamond_is_the_tables_mean_where_few_runs_were_timed(result: Result) -> None:
    first, *others = (row.entry for row in result.ranking)
    shared = [replace(run, train_seconds=None) for run in first.runs[1:]]
    partly = replace(first, runs=(first.runs[0], *shared))
    changed = replace(result, entries=(partly, *others))
    diamond = drawn(draw_figure(changed, "time"), "D")[0]
    assert diamond[1] == pytest.approx(100 * changed.rows[0][1].accuracy.mean)
    assert diamond[1] != pytest.approx(100 * first.runs[0].scores.accuracy)


def test_class_scores_are_means_over_runs(result: Result) -> None:
    figure = draw_figure(result, "classes")
    points = drawn(figure, "o")[:, 0].reshape(-1, 2, len(CLASSES))
    entries = [row.entry for row in result.ranking]
    order = [CLASSES.index(text.get_text()) for text in figure.axes[0].get_yticklabels()]
    recalls = np.mean([run.scores.recall for entry in entries for run in entry.runs], axis=0)
    assert (np.diff(recalls[order]) < 1e-9).all(), "the classes that are found best come first"
    for entry, (recall, precision) in zip(entries, points, strict=True):
        for shown, name in ((recall, "recall"), (precision, "precision")):
            runs = [getattr(run.scores, name) for run in entry.runs]
            np.testing.assert_allclose(shown, 100 * np.mean(runs, axis=0)[order])


def test_the_band_reaches_from_the_lowest_to_the_highest_seed(result: Result) -> None:
    axes = draw_figure(result, "curves").axes[0]
    entries = [row.entry for row in result.ranking]
    for entry, line, band in zip(entries, axes.lines, axes.collections, strict=True):
        losses = np.array([[loss for _, loss in run.curve] for run in entry.runs])
        np.testing.assert_allclose(line.get_ydata(), losses.mean(axis=0))
        heights = band.get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == (losses.min(), losses.max())


def test_rows_of_the_confusion_sum_to_100(result: Result) -> None:
    entry = result.entries[0]
    shades = plot_confusion("v0", entry.runs, result.test_set).axes[0].images[0].get_array()
    image = 100 * shades[..., 3] ** 2  # the shade is opaque where all images are called so
    np.testing.assert_allclose(image.sum(axis=1), 100)
    recall = np.mean([run.scores.recall for run in entry.runs], axis=0)
    np.testing.assert_allclose(np.diag(image), 100 * recall)


def test_a_pair_is_drawn_with_the_interval_of_its_verdict(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=5)
    axes = draw_figure(result, "differences").axes[0]
    bars = [line for line in axes.lines if line.get_linestyle() == "-" and line.get_lw() > 2]
    assert len(bars) == len(result.pairs)
    for bar, pair in zip(bars, result.shown_pairs, strict=True):
        np.testing.assert_allclose(bar.get_xdata(), 100 * np.array(pair.interval))
        assert bar.get_color() == VERDICT_COLORS[pair.verdict.word]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == [f"{pair.a} − {pair.b}" for pair in result.shown_pairs]


@pytest.mark.parametrize(("seeds", "bars"), [(2, 0), (3, 0), (4, 3)])
def test_few_seeds_are_points_without_a_bar_and_the_axis_fits_them(
    seeds: int, bars: int, tmp_path: Path
) -> None:
    result = make_result(tmp_path, seeds=seeds)
    axes = draw_figure(result, "accuracies").axes[0]
    lines = [line for line in axes.lines if line.get_linestyle() == "-"]
    assert len(lines) == bars
    values = [100 * run.scores.accuracy for entry in result.entries for run in entry.runs]
    low, high = axes.get_xlim()
    if not bars:
        assert (high - low) < 1.2 * (max(values) - min(values))
    assert any("say almost nothing" in text for text in result.warnings) == (seeds < 4)


def test_a_run_that_lost_a_class_says_which(result: Result) -> None:
    first, *others = result.entries[0].runs
    runs = (replace(first, dead_classes=[2]), *others)
    changed = replace(result, entries=(replace(result.entries[0], runs=runs), *result.entries[1:]))
    texts = [text.get_text() for text in draw_figure(changed, "accuracies").axes[0].texts]
    assert texts == ["no class c"]


def test_of_many_models_ten_have_looks_and_the_others_are_grey(tmp_path: Path) -> None:
    models = tuple(f"nets/student_{number:02}.py:Net" for number in range(13))
    result = make_result(tmp_path, models=models, seeds=2)
    axes = draw_figure(result, "curves").axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    best = [result.name(row.entry) for row in result.ranking]
    assert labels == [*best[:10], "3 others"]
    assert [line.get_color() for line in axes.lines[:4]][:3] == [GREY] * 3
    assert axes.lines[3].get_color() != GREY
