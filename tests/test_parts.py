"""Parts of a data set are compared as SciPy compares them."""

import numpy as np
import pytest
from scipy import stats

from fashionbench.stats.parts import compare_parts, evenness, shares_by_tenth

RNG = np.random.default_rng(0)


def test_a_difference_and_its_interval_are_welchs() -> None:
    first, second = RNG.normal(0.9, 0.3, 4000), RNG.normal(0.89, 0.2, 900)
    found = compare_parts(first, second)
    expected = stats.ttest_ind(second, first, equal_var=False).confidence_interval()
    assert found.difference == pytest.approx(second.mean() - first.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-2)


def test_tenths_are_equally_long_and_judged_as_scipy_does() -> None:
    values = RNG.random(997) < 0.8
    parts = np.array_split(values, 10)
    assert shares_by_tenth(values).tolist() == [part.mean() for part in parts]
    assert evenness(values) == pytest.approx(stats.f_oneway(*parts).pvalue)
    drifting = np.arange(500) / 500 + RNG.normal(size=500)
    assert evenness(drifting) == pytest.approx(stats.f_oneway(*np.array_split(drifting, 10)).pvalue)


def test_values_that_are_all_equal_are_even() -> None:
    assert evenness(np.ones(50)) == 1
    assert evenness(np.repeat([0, 1], [20, 180])) == 0
