"""The area under the ROC curve against scikit-learn, its interval against simulation."""

import numpy as np
import pytest
from factories import sampling_error
from sklearn.metrics import roc_auc_score

from fashionbench.stats.auc import area_under_curve, average_areas


@pytest.mark.parametrize("decimals", [1, 9])
def test_the_area_is_scikit_learns(decimals: int) -> None:
    rng = np.random.default_rng(0)
    is_second = rng.random(300) < 0.3
    scores = np.round(rng.normal(size=300) + 0.5 * is_second, decimals)  # with ties, and without
    found = area_under_curve(scores, is_second)
    assert found.auc == pytest.approx(roc_auc_score(is_second, scores))
    low, high = found.interval
    assert low < found.auc < high


def test_95_percent_of_the_intervals_hold_a_half_where_nothing_is_told_apart() -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(800):
        areas = [area_under_curve(rng.normal(size=80), np.arange(80) < 30) for _ in range(2)]
        low, high = average_areas(areas).interval
        held.append(low <= 0.5 <= high)
    assert abs(np.mean(held) - 0.95) < sampling_error(0.95, 800) + 0.01


def test_groups_that_are_apart_have_an_area_of_one() -> None:
    assert area_under_curve(np.arange(10.0), np.arange(10) > 5).auc == 1
