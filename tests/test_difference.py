"""Differences and tests against SciPy, and their rates of error by simulation."""

import math
from itertools import combinations

import numpy as np
import pytest
from factories import draw_runs, sampling_error
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from fashionbench.stats.difference import difference, holm, mcnemar, seed_test
from fashionbench.stats.sequential import anytime_p_value
from fashionbench.stats.verdict import decide

RNG = np.random.default_rng(0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_stepwise_definition(p_values: list[float]) -> None:
    m = len(p_values)
    for p, ours in zip(p_values, holm(p_values), strict=True):
        steps = [(m - rank) * q for rank, q in enumerate(sorted(p_values)) if q <= p]
        assert ours == pytest.approx(min(1, max(steps)))


def test_holm_passes_over_what_could_not_be_tested() -> None:
    with_gaps, without = holm([None, 0.01, None, 0.03]), holm([0.01, 0.03])
    assert with_gaps == [None, without[0], None, without[1]]


@pytest.mark.parametrize("seeds", [2, 5, 8])
def test_few_seeds_are_judged_by_the_paired_t_test(seeds: int) -> None:
    a, b = RNG.normal(0.8, 0.01, seeds), RNG.normal(0.785, 0.02, seeds)
    assert seed_test(a - b) == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue)


@pytest.mark.parametrize("seeds", [9, 12])
def test_flipping_signs_is_scipys_exact_permutation_test(seeds: int) -> None:
    a, b = RNG.normal(0.8, 0.01, seeds), RNG.normal(0.795, 0.01, seeds)

    def mean(x, y, axis):
        return (x - y).mean(axis=axis)

    oracle = scipy_stats.permutation_test(
        (a, b), mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert seed_test(a - b) == pytest.approx(oracle.pvalue)


def test_many_flips_are_drawn_and_agree_with_the_t_test() -> None:
    a, b = RNG.normal(0.8, 0.01, 30), RNG.normal(0.795, 0.01, 30)
    assert seed_test(a - b) == seed_test(a - b)
    assert seed_test(a - b) == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue, abs=0.01)


@pytest.mark.parametrize("seeds", range(5, 16))
def test_eight_clearly_different_models_are_told_apart_by_any_number_of_seeds(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    models = [rng.normal(0.5 + 0.05 * rank, 0.002, seeds) for rank in range(8)]
    pairs = list(combinations(models, 2))
    assert max(holm([seed_test(a - b, len(pairs)) for a, b in pairs])) < 0.05


def test_very_many_pairs_are_not_held_back_by_the_number_of_random_flips() -> None:
    pairs = 1035  # of 46 entries
    assert seed_test(RNG.normal(0.05, 0.002, 20), pairs) * pairs < 0.005


@pytest.mark.parametrize("value", [0.0, 0.9 - 0.8])
@pytest.mark.parametrize("sequential", [False, True])
def test_equal_differences_of_few_seeds_prove_nothing(value: float, sequential: bool) -> None:
    assert seed_test([value] * 5) is None
    right, wrong = np.ones((5, 100), bool), np.ones((5, 100), bool)
    wrong[:, : round(100 * value)] = False
    found = difference(right, wrong, sequential=sequential)
    assert found.difference == pytest.approx(value)
    assert (found.low, found.high, found.limit) == (-math.inf, math.inf, math.inf)
    assert decide(found).word == "not decided"


def test_equal_differences_of_many_seeds_prove_something() -> None:
    assert seed_test([0.0] * 12) == 1
    assert seed_test([0.1] * 12) == pytest.approx(2 / 2**12)
    same = np.ones((12, 100), bool)
    assert str(decide(difference(same, same))) == "no difference larger than 0.00 points"


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [5, 12, 20])
@pytest.mark.parametrize("sds", [(0.01, 0.01), (0.07, 0.007)])
def test_equal_models_raise_a_false_alarm_in_5_percent(
    seeds: int, sds: tuple[float, float]
) -> None:
    count = 1_500
    rng = np.random.default_rng(seeds)
    samples = rng.normal(0.8, sds[0], (count, seeds)) - rng.normal(0.8, sds[1], (count, seeds))
    alarms = np.mean([seed_test(sample) < 0.05 for sample in samples])
    assert abs(alarms - 0.05) < sampling_error(0.05, count)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "images", "seed_sd"),
    [(3, 1000, 0.01), (5, 1000, 0.02), (5, 400, 0.0), (15, 400, 0.02)],
)
def test_intervals_cover_new_seeds_and_new_images(seeds: int, images: int, seed_sd: float) -> None:
    count, gain = 800, 0.03
    rng = np.random.default_rng(seeds + images)
    covered = 0
    for _ in range(count):
        # The chances are drawn anew with the images; a and b share neither.
        a = draw_runs(rng, seeds, images, seed_sd=seed_sd, gain=gain)
        b = draw_runs(rng, seeds, images, seed_sd=seed_sd)
        found = difference(a, b)
        covered += found.low <= gain <= found.high
    assert covered / count > 0.95 - sampling_error(0.95, count)
    assert covered / count < 0.99


def test_the_interval_is_that_of_a_two_way_bootstrap_where_seeds_are_many() -> None:
    rng = np.random.default_rng(3)
    a = draw_runs(rng, 60, 300, seed_sd=0.03, gain=0.02)
    b = draw_runs(rng, 60, 300, seed_sd=0.03)
    gap = a.astype(float) - b
    means = [
        gap[np.ix_(rng.integers(0, 60, 60), rng.integers(0, 300, 300))].mean() for _ in range(4000)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    found = difference(a, b)
    # The bootstrap counts the runs' own noise on each image twice too often: it is wider.
    assert found.high - found.low == pytest.approx(high - low, rel=0.12)
    assert found.difference == pytest.approx(gap.mean())


def test_the_interval_over_seeds_is_the_paired_t_interval() -> None:
    a = draw_runs(RNG, 6, 500, seed_sd=0.02)
    b = draw_runs(RNG, 6, 500, seed_sd=0.02)
    found = difference(a, b)
    oracle = scipy_stats.ttest_rel(a.mean(axis=1), b.mean(axis=1)).confidence_interval(0.95)
    assert (found.seeds_low, found.seeds_high) == pytest.approx((oracle.low, oracle.high))
    assert found.low <= found.seeds_low
    assert found.high >= found.seeds_high


def test_what_is_denied_is_denied_of_all_pairs_together() -> None:
    a = draw_runs(RNG, 6, 500, seed_sd=0.02)
    b = draw_runs(RNG, 6, 500, seed_sd=0.02)
    found, alone = difference(a, b, pairs=10), difference(a, b)
    # Bonferroni: each of ten intervals misses once in 200.
    oracle = scipy_stats.ttest_rel(a.mean(axis=1), b.mean(axis=1)).confidence_interval(0.995)
    assert found.limit == pytest.approx(max(-oracle.low, oracle.high))
    assert (found.low, found.high) == (alone.low, alone.high)
    # What images add to the variance, in units of their own normal quantile, is the same.
    quantiles = scipy_stats.norm.isf([0.025, 0.0025])
    added = [
        math.sqrt(
            (one.limit_other_test_images - abs(one.difference)) ** 2
            - (one.limit - abs(one.difference)) ** 2
        )
        for one in (alone, found)
    ]
    assert added[0] / quantiles[0] == pytest.approx(added[1] / quantiles[1])
    assert added[0] > 0


@pytest.mark.parametrize("seeds", [3, 8])
def test_false_alarms_about_other_images_too_come_in_5_percent(seeds: int) -> None:
    count, rng = 800, np.random.default_rng(seeds)
    alarms = 0
    for _ in range(count):
        a, b = (draw_runs(rng, seeds, 400, seed_sd=0.02) for _ in range(2))
        found = difference(a, b)
        alarms += found.p_value_other_test_images < 0.05
        # It is the p-value that belongs to the interval.
        assert (found.p_value_other_test_images < 0.05) == (found.low > 0 or found.high < 0)
    assert 0 < alarms / count < 0.05 + sampling_error(0.05, count)


def test_probability_of_better_is_mann_and_whitneys() -> None:
    a = draw_runs(RNG, 8, 200, seed_sd=0.02)
    b = draw_runs(RNG, 8, 200, seed_sd=0.02)
    oracle = scipy_stats.mannwhitneyu(a.mean(axis=1), b.mean(axis=1)).statistic / 64
    assert difference(a, b).probability_a_beats_b == pytest.approx(oracle)


def test_one_seed_has_a_difference_and_nothing_else() -> None:
    a, b = draw_runs(RNG, 1, 100, seed_sd=0), draw_runs(RNG, 1, 100, seed_sd=0)
    found = difference(a, b)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert (found.p_value, found.sd, found.probability_a_beats_b) == (None, None, None)
    assert (found.limit, found.p_value_other_test_images) == (math.inf, None)


def test_mcnemar_is_the_binomial_test_of_disagreements() -> None:
    a, b = RNG.random(500) < 0.8, RNG.random(500) < 0.7
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    oracle = scipy_stats.binomtest(only_a, only_a + only_b).pvalue
    assert mcnemar(a, b) == pytest.approx(oracle)
    assert mcnemar(a, a) == 1


def test_a_difference_is_judged_anytime_where_seeds_are_added() -> None:
    rng = np.random.default_rng(7)
    a, b = (draw_runs(rng, 6, 500, seed_sd=0.02, gain=gain) for gain in (0.05, 0.0))
    gaps = a.mean(axis=1) - b.mean(axis=1)
    once, anytime = (difference(a, b, sequential=looks).p_value for looks in (False, True))
    assert anytime == pytest.approx(anytime_p_value(gaps))
    assert once == pytest.approx(scipy_stats.ttest_1samp(gaps, 0).pvalue)
    assert anytime > once
