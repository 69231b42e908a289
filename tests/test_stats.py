"""Intervals and tests against SciPy, and their rates of error by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from fashionbench.stats import (
    holm,
    paired_difference,
    standard_error_of_accuracy,
    summarize,
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


def test_one_value_has_no_spread_and_none_no_mean() -> None:
    one, none = summarize([0.5]), summarize([float("nan")])
    assert (one.mean, one.sd, one.low, one.high, one.n) == (0.5, None, None, None, 1)
    assert (none.mean, none.n) == (None, 0)


def test_not_a_number_is_left_out_and_n_says_so() -> None:
    summary = summarize([0.25, float("nan"), 0.75])
    assert (summary.mean, summary.n) == (0.5, 2)


def test_paired_difference_agrees_with_scipy() -> None:
    a, b = RNG.normal(0.8, 0.01, 6), RNG.normal(0.79, 0.02, 6)
    found, expected = paired_difference(a, b), scipy_stats.ttest_rel(a, b)
    interval = expected.confidence_interval(0.95)
    assert found.difference == pytest.approx((a - b).mean())
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_paired_difference_of_one_seed_has_no_interval() -> None:
    found = paired_difference([0.9], [0.8])
    assert (found.low, found.high, found.p_value) == (None, None, None)


def test_equal_differences_of_few_seeds_prove_nothing() -> None:
    found = paired_difference([0.75, 0.5], [0.5, 0.25])
    assert (found.difference, found.p_value, found.low) == (0.25, None, None)


def test_intervals_cover_and_false_alarms_are_rare() -> None:
    # 4,000 A/A comparisons of 5 seeds: the sampling error of a 5 % rate is 0.34 points.
    samples = RNG.normal(0.8, 0.01, (4000, 2, 5))
    covered = alarms = 0
    for a, b in samples:
        summary = summarize(a)
        covered += summary.low <= 0.8 <= summary.high
        alarms += paired_difference(a, b).p_value < 0.05
    assert abs(covered / 4000 - 0.95) < 4 * 0.0034
    assert abs(alarms / 4000 - 0.05) < 4 * 0.0034


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_stepwise_definition(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    smaller = [[q for q in p_values if q <= p] for p in p_values]
    m = len(p_values)
    for p, ours, below in zip(p_values, adjusted, smaller, strict=True):
        ordered = sorted(p_values)
        steps = [(m - rank) * q for rank, q in enumerate(ordered) if q <= p]
        assert len(steps) == len(below)
        assert ours == pytest.approx(min(1, max(steps)))


def test_standard_error_at_83_percent_of_10000_images() -> None:
    assert standard_error_of_accuracy(0.83, 10_000) == pytest.approx(0.0037, abs=0.00006)
