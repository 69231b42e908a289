"""Summaries and intervals against SciPy."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from factories import sampling_error
from scipy import stats as scipy_stats

from fashionbench.stats.intervals import (
    Summary,
    error_of_test_set,
    expected_sd,
    share_interval,
    summarize,
    summarize_fractions,
    time_ratio,
)

RNG = np.random.default_rng(0)


def test_summary_agrees_with_scipy() -> None:
    values = RNG.normal(0.8, 0.01, 7)
    summary = summarize(values)
    low, high = scipy_stats.t.interval(0.95, 6, values.mean(), scipy_stats.sem(values))
    assert summary.mean == pytest.approx(values.mean())
    assert summary.sd == pytest.approx(np.std(values, ddof=1))
    assert (summary.low, summary.high) == (pytest.approx(low), pytest.approx(high))
    assert summary.n == 7


@pytest.mark.parametrize("in_brief", [summarize, summarize_fractions])
@pytest.mark.parametrize("value", [0.1, 1.0])
def test_equal_values_have_no_interval(in_brief: Callable[..., Summary], value: float) -> None:
    found = in_brief([value] * 3)
    assert (found.mean, found.n) == (pytest.approx(value), 3)
    assert found.sd == pytest.approx(0)
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("values", [[0.2, 0.9], [0.99, 1.0, 1.0], [0.0, 0.001]])
def test_an_interval_of_fractions_stays_between_0_and_1(values: list[float]) -> None:
    found = summarize_fractions(values)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert (found.mean, found.sd, found.n) == (np.mean(values), np.std(values, ddof=1), len(values))


def test_far_from_0_and_1_it_is_the_t_interval() -> None:
    values = RNG.normal(0.8, 0.003, 8)
    found, plain = summarize_fractions(values), summarize(values)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=3e-5)
    flipped = summarize_fractions(1 - values)
    assert (1 - flipped.high, 1 - flipped.low) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
@pytest.mark.parametrize("kind", ["as V0", "scattered", "near 100 %"])
def test_95_percent_of_its_intervals_hold_the_mean(seeds: int, kind: str) -> None:
    """What the t interval fails near 100 %: it covers 92 % there."""
    count, rng = 3000, np.random.default_rng(seeds)
    mean, draw = {
        "as V0": (0.83, lambda: rng.normal(0.83, 0.007, seeds)),
        "scattered": (0.87, lambda: rng.normal(0.87, 0.03, seeds)),
        "near 100 %": (0.995, lambda: rng.beta(398, 2, seeds)),
    }[kind]
    found = [summarize_fractions(draw()) for _ in range(count)]
    covered = np.mean([each.low <= mean <= each.high for each in found])
    skew = 0.01 if kind == "near 100 %" else 0.0
    assert covered > 0.95 - skew - sampling_error(0.95, count)
    assert covered < 0.95 + sampling_error(0.95, count)


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


@pytest.mark.parametrize(("count", "n"), [(0, 20), (3, 20), (19, 20), (20, 20), (137, 10_000)])
def test_the_interval_of_a_share_is_scipys(count: int, n: int) -> None:
    expected = scipy_stats.binomtest(count, n).proportion_ci(method="wilson")
    assert share_interval(count, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_interval_of_a_share_of_nothing_is_everything() -> None:
    assert share_interval(0, 0) == (0, 1)
