"""Tuning curves against the authors' own package, and the promise of their band by simulation."""

import math

import numpy as np
import pytest
from factories import sampling_error

from fashionbench.stats.tuning_curve import distribution_band, tuning_curve


def test_the_curve_is_the_median_of_the_best_of_so_many_draws() -> None:
    losses = np.random.default_rng(3).lognormal(size=25)
    curve = tuning_curve(losses.tolist())
    rng = np.random.default_rng(0)
    for k in (1, 4, 11):
        drawn = rng.choice(losses, (20_001, k)).min(axis=1)
        assert curve[k - 1].trials == k
        # A quantile of the sample beside the median, where the chance is a half.
        assert np.quantile(drawn, 0.48) <= curve[k - 1].median <= np.quantile(drawn, 0.52)
    assert [point.median for point in curve] == sorted((p.median for p in curve), reverse=True)


def test_the_curve_and_its_band_are_those_of_the_authors() -> None:
    # Ranks of 30 losses, by opda 0.8.0: EmpiricalDistribution.confidence_bands(ys, 0.95,
    # method="ld_highest_density") and quantile_tuning_curve(ns, q=0.5, minimize=True).
    medians = [15, 9, 7, 5, 4, 4, *[3] * 4, *[2] * 10, *[1] * 10]
    highest = [23, 17, 14, 12, 11, 10, 10, 9, 9, 8, 8, 8, *[7] * 6, *[6] * 11, 5]
    lowest = [8, 3, 1, *[-math.inf] * 27]
    curve = tuning_curve(range(1, 31))
    assert [point.median for point in curve] == medians
    assert [point.high for point in curve] == highest
    assert [point.low for point in curve] == lowest


@pytest.mark.parametrize("n", [5, 15])
def test_the_band_holds_a_distribution_in_95_of_100_samples(n: int) -> None:
    count = 20_000
    low, high = distribution_band(n)
    samples = np.sort(np.random.default_rng(n).random((count, n)), axis=1)
    held = ((low <= samples) & (samples <= high)).all(axis=1).mean()
    assert held == pytest.approx(0.95, abs=sampling_error(0.95, count))


def test_the_band_of_the_curve_holds_the_median_at_every_number_of_trials() -> None:
    count, n = 2_000, 12
    # Of exponential losses the best of k has the median ln 2 / k.
    medians = math.log(2) / np.arange(1, n + 1)
    missed = 0
    for losses in np.random.default_rng(1).exponential(size=(count, n)):
        curve = tuning_curve(losses.tolist())
        missed += any(
            not point.low <= median <= point.high
            for point, median in zip(curve, medians, strict=True)
        )
    assert missed / count < 0.05 + sampling_error(0.05, count)


def test_few_trials_cannot_tell_how_low_many_would_come() -> None:
    curve = tuning_curve([0.5, 0.4, math.inf, 0.6, 0.7])
    assert curve[-1].low == -math.inf
    assert curve[0].high == math.inf, "since a run that failed is worse than any loss"
    assert tuning_curve([0.5])[0].median == 0.5
