"""What holds however often one looks, by simulation, and the seeds that are promised."""

import math

import numpy as np
import pytest
from factories import sampling_error
from scipy import stats as scipy_stats

from fashionbench.stats.difference import seed_test
from fashionbench.stats.sequential import (
    anytime_p_value,
    confidence_sequence,
    seeds_needed,
    smallest_shown,
)

RNG = np.random.default_rng(0)


def test_looking_after_every_seed_raises_no_false_alarms() -> None:
    count = 1_000
    samples = np.random.default_rng(7).normal(0, 0.01, (count, 100))
    alarms = np.mean([anytime_p_value(sample) < 0.05 for sample in samples])
    assert 0 < alarms < 0.05 + sampling_error(0.05, count)
    t_tests = np.array(
        [scipy_stats.ttest_1samp(samples[:, :n], 0, axis=1).pvalue for n in range(5, 100)]
    )
    assert (t_tests.min(axis=0) < 0.05).mean() > 0.2, "what looking costs those who do not pay"


def test_the_confidence_sequence_holds_the_mean_at_every_look() -> None:
    count = 1_000
    samples = np.random.default_rng(8).normal(0.3, 1, (count, 60))
    missed = 0
    for sample in samples:
        looks = [sample[:n] for n in range(2, 61)]
        missed += any(
            abs(x.mean() - 0.3) > confidence_sequence(len(x), x.std(ddof=1)) for x in looks
        )
    assert 0 < missed / count < 0.05 + sampling_error(0.05, count)


def test_the_sequence_ends_where_the_test_refuses() -> None:
    sample = RNG.normal(0.5, 1, 40)
    half = confidence_sequence(40, sample.std(ddof=1))
    for edge in (sample.mean() - half, sample.mean() + half):
        # Without the running maximum: of the last look alone.
        n, c2 = 40, 0.25
        squares = (n + c2) * ((sample - edge) ** 2).sum()
        evidence = math.sqrt(c2 / (n + c2)) * (
            squares / (squares - (sample - edge).sum() ** 2)
        ) ** (n / 2)
        assert evidence == pytest.approx(20)


def test_too_few_seeds_have_no_sequence_and_a_clear_difference_is_soon_seen() -> None:
    assert confidence_sequence(2, 0.1) == math.inf
    assert anytime_p_value(RNG.normal(5, 0.8, 5)) < 0.05 / 3
    assert anytime_p_value([0.0] * 9) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "alpha"), [(0.75, 0.05), (0.5, 0.05), (0.75, 0.05 / 3)])
def test_the_promised_seeds_have_80_percent_power(effect: float, alpha: float) -> None:
    n, count = seeds_needed(effect, 1.0, alpha), 800
    rng = np.random.default_rng(n)
    pairs = round(0.05 / alpha)
    found = np.mean([seed_test(rng.normal(effect, 1, n), pairs) < alpha for _ in range(count)])
    assert abs(found - 0.8) < sampling_error(0.8, count)


@pytest.mark.parametrize(("effect", "alpha"), [(0.75, 0.05), (0.5, 0.05), (0.75, 0.05 / 3)])
def test_the_seeds_promised_to_who_looks_again_and_again_have_that_power_too(
    effect: float, alpha: float
) -> None:
    n, count = seeds_needed(effect, 1.0, alpha, sequential=True), 800
    rng = np.random.default_rng(n)
    found = np.mean([anytime_p_value(rng.normal(effect, 1, n)) < alpha for _ in range(count)])
    # An earlier look may have decided, which the promise does not count on.
    assert 0.8 - sampling_error(0.8, count) < found < 0.9


def test_needed_seeds_agree_with_the_literature() -> None:
    # Cohen 1988: a paired t-test of d = 0.5 needs 34 pairs for a power of 80 % at 5 %.
    assert seeds_needed(0.5, 1.0) == 34
    assert seeds_needed(1.0, 0.0) == 2


@pytest.mark.parametrize("sequential", [False, True])
def test_a_number_of_seeds_beyond_a_million_is_not_told(sequential: bool) -> None:
    # By the normal distribution it is (2.8 / d)^2: 78,000 and 7,800,000.
    assert seeds_needed(0.01, 1.0, sequential=sequential) is not None
    for difference in (0.001, 1e-12, 1e-300, 5e-324):
        assert seeds_needed(difference, 1.0, sequential=sequential) is None


@pytest.mark.parametrize("sd", [1e-12, 1e-300, 5e-324])
def test_two_seeds_show_what_hardly_varies(sd: float) -> None:
    assert seeds_needed(0.1, sd) == 2


def test_the_smallest_difference_that_seeds_show_is_the_other_way_round() -> None:
    for n in (2, 3, 5, 20, 100):
        smallest = smallest_shown(n, 0.01)
        assert seeds_needed(smallest * 1.001, 0.01) <= n < seeds_needed(smallest * 0.95, 0.01) + 1
    assert smallest_shown(5, 0.0) == 0
    # Statistics by hand: a t-test of five values that are 2.02 sds away has four fifths power.
    assert smallest_shown(5, 1.0) == pytest.approx(1.68, abs=0.01)
