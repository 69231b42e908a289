"""Intervals of a difference: each ends where the test that it belongs to begins to refuse."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from fashionbench.stats.difference import seed_test
from fashionbench.stats.sequential import anytime_p_value
from fashionbench.stats.spread import Spread, can_flip_signs

RNG = np.random.default_rng(4)


def spread(values: np.ndarray, *, sequential: bool = False) -> Spread:
    return Spread(tuple(values.tolist()), 0.002, sequential)


@pytest.mark.parametrize("seeds", [9, 12, 20])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3])
def test_the_permutation_test_refuses_what_lies_outside_and_nothing_inside(
    seeds: int, alpha: float
) -> None:
    values = RNG.gamma(2, 0.01, seeds)  # skewed, so that the two sides differ
    low, high = spread(values).interval_of_test(alpha, pairs=1)
    width = high - low
    for inside in (low + width / 1000, values.mean(), high - width / 1000):
        assert seed_test(values - inside) >= alpha
    for outside in (low - width / 1000, high + width / 1000):
        assert seed_test(values - outside) < alpha


def test_few_seeds_have_the_paired_t_interval() -> None:
    values = RNG.normal(0.02, 0.01, 5)
    assert not can_flip_signs(5, pairs=1)
    oracle = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.99)
    assert spread(values).interval_of_test(0.01, pairs=1) == pytest.approx(
        (oracle.low, oracle.high)
    )


def test_after_repeated_looks_it_ends_where_any_look_refused() -> None:
    values = np.concatenate([RNG.normal(0.05, 0.01, 6), RNG.normal(-0.02, 0.03, 6)])
    low, high = spread(values, sequential=True).interval_of_test(0.05, pairs=1)
    for supposed in np.linspace(values.mean() - 0.1, values.mean() + 0.1, 201):
        refused = anytime_p_value(values - supposed) < 0.05
        assert refused == (not low <= supposed <= high)


def test_images_widen_it_by_the_root_of_the_sum_of_squares() -> None:
    values = RNG.normal(0.02, 0.01, 6)
    over_seeds, both = spread(values).over_seeds(0.1), spread(values).over_both(0.1)
    assert both**2 - over_seeds**2 == pytest.approx((scipy_stats.norm.isf(0.05) * 0.002) ** 2)


def test_equal_differences_have_an_interval_of_no_width() -> None:
    low, high = spread(np.full(12, 0.1)).interval_of_test(0.05, pairs=1)
    assert (low, high) == pytest.approx((0.1, 0.1))
