"""The figures of a tuning show the losses that they are given."""

from pathlib import Path

import numpy as np
import pytest
from factories import make_result, make_tuned_result

from fashionbench.errors import UsageError
from fashionbench.experiments.result import Result
from fashionbench.report.figures import draw_figure


@pytest.fixture
def result(tuned_result: Result) -> Result:
    return tuned_result


def test_every_trial_of_the_first_seed_is_a_point(result: Result) -> None:
    figure = draw_figure(result, "search")
    for axes, row in zip(figure.axes, result.tuned_rows, strict=True):
        drawn = {tuple(line.get_xydata()[0]) for line in axes.lines if line.get_marker() != "None"}
        runs = zip(row.how.progress.trials, row.how.progress.records, strict=True)
        for trial, record in runs:
            if trial.stage == 1:
                assert (record.job.recipe.learning_rate, record.scores.loss) in drawn
        assert axes.get_title(loc="left") == row.name


def test_choices_and_the_stable_range_are_marked(result: Result) -> None:
    row, axes = result.tuned_rows[0], draw_figure(result, "search").axes[0]
    dashed = {line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"}
    assert dashed == {settings["learning_rate"] for settings in row.how.progress.settings}
    (shaded,) = axes.patches
    assert (shaded.get_x(), shaded.get_x() + shaded.get_width()) == pytest.approx(row.how.stable)


def test_the_line_of_a_tuning_curve_is_its_median(result: Result) -> None:
    axes = draw_figure(result, "tuning-curves").axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) > 2]
    for line, row in zip(lines, result.tuned_rows, strict=True):
        assert list(line.get_xdata()) == list(range(1, 13))
        np.testing.assert_allclose(line.get_ydata(), [point.median for point in row.how.curve])


@pytest.mark.parametrize(
    "options",
    [
        {"models": ("v0",), "studies": 1},
        {"models": ("v0", "v1", "v2", "mlp"), "trials": 3},
        {"models": ("v0",), "tune": ("learning_rate", "weight_decay", "momentum")},
    ],
)
def test_unusual_tunings_are_drawn_too(options: dict[str, object], tmp_path: Path) -> None:
    result = make_tuned_result(tmp_path, **options)
    for name in ("search", "tuning-curves"):
        # Raises what matplotlib warns of.
        draw_figure(result, name).savefig(tmp_path / "figure.png")


def test_runs_that_failed_stay_in_sight(tmp_path: Path) -> None:
    result = make_tuned_result(tmp_path, models=("v0",), studies=1, collapse_above=0.2)
    axes = draw_figure(result, "search").axes[0]
    top = axes.get_ylim()[1]
    crosses = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "x"]
    failed = [trial for trial in result.tuned_rows[0].how.progress.trials if trial.failed]
    assert len(crosses) == len(failed) > 0
    assert all(y == top for _, y in crosses)


def test_without_tuning_there_is_no_such_figure(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no figure 'search'"):
        draw_figure(make_result(tmp_path), "search")
