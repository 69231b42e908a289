"""Probabilities of a difference: calibrated, and those of the interval beside them."""

from dataclasses import replace

import numpy as np
import pytest
from factories import draw_runs, sampling_error
from scipy import stats as scipy_stats

from fashionbench.stats.difference import Difference, difference
from fashionbench.stats.probabilities import Probabilities, find_probabilities
from fashionbench.stats.sequential import anytime_p_value, confidence_sequence

RNG = np.random.default_rng(5)


def some_difference(seeds: int = 5, **options: bool) -> Difference:
    a, b = (draw_runs(RNG, seeds, 500, seed_sd=0.02, gain=gain) for gain in (0.05, 0.0))
    return difference(a, b, **options)


@pytest.mark.parametrize("seeds", [3, 5, 15])
def test_a_known_difference_is_called_exceeded_as_often_as_the_probability_says(seeds: int) -> None:
    # The probability of more than the true difference is uniform over comparisons.
    count, gain, rng = 600, 0.03, np.random.default_rng(seeds)
    said = []
    for _ in range(count):
        a, b = (draw_runs(rng, seeds, 500, seed_sd=0.02, gain=more) for more in (gain, 0.0))
        found = find_probabilities(difference(a, b), gain)
        assert found is not None
        said.append(found.better)
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        share = np.mean(np.array(said) <= level)
        assert share == pytest.approx(level, abs=sampling_error(level, count))


def test_of_seeds_alone_they_are_those_of_students_t() -> None:
    found = some_difference()
    alone = replace(found, spread=replace(found.spread, error_over_images=0.0))
    values = np.array(found.spread.by_seed)
    oracle = scipy_stats.t(len(values) - 1, values.mean(), scipy_stats.sem(values))
    probable = find_probabilities(alone, 0.01)
    assert probable is not None
    assert probable.better == pytest.approx(oracle.sf(0.01))
    assert probable.within == pytest.approx(oracle.cdf(0.01) - oracle.cdf(-0.01))
    assert probable.worse == pytest.approx(oracle.cdf(-0.01))


def test_half_of_five_percent_lies_beyond_either_end_of_the_interval() -> None:
    found = some_difference()
    for end, beyond in ((found.low, 0.975), (found.high, 0.025)):
        probable = find_probabilities(found, abs(end))
        assert probable is not None
        assert (probable.better if end > 0 else 1 - probable.worse) == pytest.approx(beyond)


def test_together_they_are_all_and_of_the_other_model_the_other_way_round() -> None:
    found = find_probabilities(some_difference(), 0.02)
    assert found is not None
    assert found.better + found.within + found.worse == pytest.approx(1)
    assert min(found.better, found.within, found.worse) > 0
    assert found.turned() == Probabilities(found.worse, found.within, found.better)


@pytest.mark.parametrize("seeds", [1, 5])
def test_seeds_that_tell_nothing_of_others_give_none(seeds: int) -> None:
    right = np.ones((seeds, 100), bool)
    assert find_probabilities(difference(right, ~right), 0.01) is None


def test_after_many_looks_they_are_too_sure_by_as_much_as_the_page_says() -> None:
    # docs/statistics.md: what is barely false is called 95 % probable in 11 % instead of 5 %.
    count, truth, rng, wrong = 300, 0.002, np.random.default_rng(2), 0
    some = some_difference(sequential=True)
    for _ in range(count):
        values = rng.normal(truth, 0.01, 60)
        seeds = 2
        while seeds < 60 and anytime_p_value(values[:seeds]) >= 0.05:
            half = confidence_sequence(seeds, float(values[:seeds].std(ddof=1)))
            if abs(values[:seeds].mean()) + half < truth:
                break
            seeds += 1
        seen = replace(some.spread, by_seed=tuple(values[:seeds].tolist()), error_over_images=0.0)
        found = replace(some, difference=seen.mean, spread=seen)
        probable = find_probabilities(found, truth)
        assert probable is not None
        wrong += probable.better >= 0.95
    assert 0.05 < wrong / count < 0.11 + sampling_error(0.11, count)
