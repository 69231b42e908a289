"""Summaries and intervals against SciPy."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from fashionbench.stats.intervals import error_of_test_set, expected_sd, summarize, time_ratio

RNG = np.random.default_rng(0)


def test_summary_agrees_with_scipy() -> None:
    values = RNG.normal(0.8, 0.01, 7)
    summary = summarize(values)
    low, high = scipy_stats.t.interval(0.95, 6, values.mean(), scipy_stats.sem(values))
    assert summary.mean == pytest.approx(values.mean())
    assert summary.sd == pytest.approx(np.std(values, ddof=1))
    assert (summary.low, summary.high) == (pytest.approx(low), pytest.approx(high))
    assert summary.n == 7


def test_one_value_has_no_spread_and_none_no_mean() -> None:
    one, none = summarize([0.5]), summarize([float("nan")])
    assert (one.mean, one.sd, one.low, one.high, one.n) == (0.5, None, None, None, 1)
    assert (none.mean, none.n) == (None, 0)


def test_not_a_number_is_left_out_and_n_says_so() -> None:
    summary = summarize([0.25, float("nan"), 0.75])
    assert (summary.mean, summary.n) == (0.5, 2)


def test_error_of_the_test_set_is_the_binomial_one_of_a_run() -> None:
    right = np.arange(10_000) < 8300
    assert error_of_test_set(right[None]) == pytest.approx(math.sqrt(0.83 * 0.17 / 10_000))


def test_more_seeds_do_not_shrink_the_error_of_the_test_set_below_that_of_its_images() -> None:
    rng = np.random.default_rng(5)
    chance = rng.beta(4, 1, 2000)
    errors = [error_of_test_set(rng.random((seeds, 2000)) < chance) for seeds in (1, 5, 200)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] == pytest.approx(chance.std() / math.sqrt(2000), rel=0.02)


def test_the_expected_sd_is_measured_where_seeds_are_equally_good() -> None:
    rng = np.random.default_rng(6)
    chance = rng.beta(4, 1, 1000)
    runs = rng.random((3000, 1000)) < chance
    assert expected_sd(runs[:5]) == pytest.approx(runs.mean(axis=1).std(), rel=0.1)
    assert expected_sd(runs[:1]) is None


def test_times_are_compared_as_welch_does_on_logarithms() -> None:
    a, b = RNG.lognormal(3, 0.1, 5), RNG.lognormal(1, 0.2, 7)
    found = time_ratio(a, b)
    assert found is not None
    oracle = scipy_stats.ttest_ind(np.log(a), np.log(b), equal_var=False)
    interval = oracle.confidence_interval(0.95)
    gap = np.log(a).mean() - np.log(b).mean()
    expected = np.exp([gap, interval.low, interval.high])
    assert (found.ratio, found.low, found.high) == pytest.approx(tuple(expected))


def test_one_time_cannot_be_compared_and_equal_times_are_equal() -> None:
    assert time_ratio([1.0], [2.0, 3.0]) is None
    equal = time_ratio([2.0, 2.0], [1.0, 1.0])
    assert equal is not None
    assert (equal.ratio, equal.low, equal.high) == pytest.approx((2, 2, 2))
