"""The Pareto front, and axes that people can read."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from factories import make_result

from fashionbench.experiments.result import Result
from fashionbench.report.pareto import COSTS, draw_pareto, plot_pareto


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return make_result(tmp_path_factory.mktemp("plots"))


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
    means = [run.scores.accuracy for _, (run,) in named]
    panel = plot_pareto(named, result.test_set, means).axes[0]
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
