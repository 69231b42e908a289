"""The rules of a tuning, on trials that never ran."""

import math
from collections.abc import Iterable

import numpy as np
import pytest

from fashionbench.stats.choice import Trial, at_edge, choose, second_stage, stable_range

FAILED = math.nan


def stage(number: int, losses: dict[int | None, Iterable[float]]) -> list[Trial]:
    """Trials of one study, seed after seed; FAILED for a run that failed."""
    return [
        Trial(point, seed, 0, number, 2.3 if math.isnan(loss) else loss, math.isnan(loss))
        for point, of_point in losses.items()
        for seed, loss in enumerate(of_point, start=10 * number)
    ]


def test_the_best_quarter_is_tried_again() -> None:
    first = stage(1, dict(enumerate([[0.9], [FAILED], [0.4], [0.7], [0.3]])))
    assert second_stage(first) == [4, 2], "a quarter of five, rounded up"
    assert second_stage(first + stage(2, {0: [0.0]})) == [4, 2], "by the first seed alone"
    assert second_stage(first[:4]) == [2]
    assert second_stage(stage(1, {0: [FAILED]})) == [0], "there is none better"


def test_the_further_seeds_alone_choose() -> None:
    lucky = stage(1, {0: [0.1], 1: [0.4]})
    further = stage(2, {None: [0.6, 0.5, 0.7], 0: [0.5, 0.4, 0.6], 1: [0.3, 0.2, 0.5]})
    choice = choose(lucky + further)
    assert (choice.point, choice.best) == (1, 1)
    gains = np.subtract([0.6, 0.5, 0.7], [0.3, 0.2, 0.5])
    assert choice.gain == pytest.approx(gains.mean())
    assert choice.error == pytest.approx(gains.std(ddof=1) / math.sqrt(3))


@pytest.mark.parametrize(
    ("default", "point", "leaves"),
    [
        ([0.50, 0.50, 0.50], [0.49, 0.48, 0.47], True),
        ([0.50, 0.50, 0.50], [0.40, 0.50, 0.599], False),  # gain 0.0003, error 0.06
        ([0.50, 0.50, 0.50], [0.51, 0.52, 0.53], False),
        ([0.50, FAILED, 0.50], [0.60, 0.70, 0.80], True),  # what fails is worse than any loss
        ([0.50, 0.50, 0.50], [0.10, FAILED, 0.10], False),
        ([0.50, FAILED, 0.50], [0.45, FAILED, 0.44], True),
        ([FAILED, FAILED, 0.50], [0.45, FAILED, FAILED], False),  # nothing in common to compare
        ([FAILED, FAILED, FAILED], [FAILED, FAILED, FAILED], False),
    ],
)
def test_the_default_is_left_for_a_gain_of_more_than_one_standard_error(
    default: list[float], point: list[float], leaves: bool
) -> None:
    choice = choose(stage(2, {None: default, 7: point}))
    assert choice.best == 7
    assert choice.point == (7 if leaves else None)


def test_who_failed_less_often_comes_first() -> None:
    choice = choose(stage(2, {None: [0.9] * 3, 0: [0.1, 0.1, FAILED], 1: [0.5, 0.6, 0.7]}))
    assert choice.point == 1


def test_the_ends_of_what_was_tried_are_edges() -> None:
    tried = [{"a": 1.0, "b": 5.0}, {"a": 2.0, "b": 5.0}, {"a": 4.0, "b": 5.0}]
    assert at_edge(tried[0], tried) == (("a", "low"),)
    assert at_edge(tried[1], tried) == ()
    assert at_edge(tried[2], tried) == (("a", "high"),)


def test_the_stable_range_ends_where_a_loss_is_a_tenth_above_the_lowest() -> None:
    rates = [1.0, 0.1, 0.3, 3.0, 0.01]
    assert stable_range(rates, [0.50, 0.54, 0.51, math.inf, 0.90]) == (0.1, 1.0)
    assert stable_range(rates, [0.50, 0.52, 0.60, 0.52, 0.52]) == (1.0, 3.0), "no gaps"
    assert stable_range([1.0], [math.inf]) is None
