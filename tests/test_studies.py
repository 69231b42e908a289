"""Intervals and tests that hold the luck of choosing, by tunings that are simulated as a whole."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from factories import sampling_error
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from fashionbench.stats.choice import Trial, choose, second_stage
from fashionbench.stats.difference import difference
from fashionbench.stats.sequential import seeds_needed
from fashionbench.stats.studies import (
    average_studies,
    compare_tuned,
    split_spread,
    summarize_tuned,
)

Floats = NDArray[np.float64]
DOUBLINGS = 5
"""Of the learning rate, to either side of the default."""
BEST = 1.0
"""Doublings from the default to the best rate."""


def loss_at(x: float) -> float:
    return 0.45 + 0.01 * (x - BEST) ** 2


def accuracy_at(x: Floats) -> Floats:
    return 0.84 - 0.006 * (x - BEST) ** 2


def tune(rng: np.random.Generator, points: Floats, default: float = 0.0) -> float:
    """Choose among points by the rules, from losses with the luck of a seed each."""

    def trial(point: int | None, seed: int, stage: int) -> Trial:
        x = default if point is None else float(points[point])
        return Trial(point, seed, 0, stage, loss_at(x) + rng.normal(0, 0.02), failed=False)

    first = [trial(point, 0, 1) for point in range(len(points))]
    again = [None, *second_stage(first)]
    choice = choose([trial(point, seed, 2) for point in again for seed in (1, 2, 3)])
    return default if choice.point is None else float(points[choice.point])


def draw_points(rng: np.random.Generator, studies: int, trials: int) -> Floats:
    """(K, T) one point in each of T equal parts of the space, as a quasi-random sequence has."""
    cells = np.tile(np.arange(trials), (studies, 1)) + rng.random((studies, trials))
    return rng.permuted(2 * DOUBLINGS * cells / trials - DOUBLINGS, axis=1)


def run(rng: np.random.Generator, points: Floats, seeds: int) -> Floats:
    """(K * seeds,) accuracies of final runs, study after study."""
    chosen = np.array([tune(rng, of_study) for of_study in points])
    return rng.normal(accuracy_at(np.repeat(chosen, seeds)), 0.004)


def as_matrix(accuracies: Floats) -> Floats:
    """(S, 2) so that the mean over images is the accuracy and no image differs from another."""
    return np.repeat(accuracies[:, None], 2, axis=1)


def false_alarms(studies: int, seeds: int, count: int) -> float:
    """How often one model under two names is called different: each is tuned on its own."""
    rng = np.random.default_rng(studies)
    which = np.repeat(np.arange(studies), seeds)
    alarms = 0
    for _ in range(count):
        points = draw_points(rng, studies, 15 // studies)
        a, b = (as_matrix(run(rng, points, seeds)) for _ in range(2))
        p_value = compare_tuned(a, b, which.tolist()).p_value
        alarms += p_value is not None and p_value < 0.05
    return alarms / count


def test_a_model_tuned_twice_is_seldom_called_different_and_without_studies_often() -> None:
    count = 1_000
    for studies in (3, 5):
        assert false_alarms(studies, 6 // studies + 1, count) < 0.05 + sampling_error(0.05, count)
    assert false_alarms(1, 9, count) > 0.15, "given these settings they do differ"


@pytest.mark.parametrize("studies", [3, 5])
def test_the_interval_of_a_tuned_row_covers_what_tuning_reaches(studies: int) -> None:
    rng = np.random.default_rng(10 + studies)
    seeds, trials, count = 2, 5, 1_000
    truth = np.mean([run(rng, draw_points(rng, 1, trials), 1) for _ in range(4 * count)])
    which = np.repeat(np.arange(studies), seeds).tolist()
    held = together = 0
    for _ in range(count):
        values = run(rng, draw_points(rng, studies, trials), seeds)
        found = summarize_tuned(values.tolist(), which)
        held += found.low <= truth <= found.high
        low, high = scipy_stats.t.interval(
            0.95, len(values) - 1, values.mean(), scipy_stats.sem(values)
        )
        together += low <= truth <= high
    assert held / count > 0.95 - sampling_error(0.05, count)
    assert together / count < held / count, "runs of one study are no independent witnesses"


def test_the_promised_studies_have_80_percent_power() -> None:
    rng = np.random.default_rng(20)
    seeds, trials, gap, count = 2, 5, 0.006, 250

    def both(studies: int) -> tuple[Floats, Floats]:
        points = draw_points(rng, studies, trials)
        return run(rng, points, seeds) + gap, run(rng, points, seeds)

    a, b = both(2_000)
    sd = (a - b).reshape(-1, seeds).mean(axis=1).std()
    studies = seeds_needed(gap, sd)
    which = np.repeat(np.arange(studies), seeds).tolist()
    found = 0
    for _ in range(count):
        a, b = both(studies)
        p_value = compare_tuned(as_matrix(a), as_matrix(b), which).p_value
        found += p_value is not None and p_value < 0.05
    assert found / count > 0.8 - sampling_error(0.8, count)
    assert studies > 3


def correctness(rng: np.random.Generator, chances: Sequence[float]) -> NDArray[np.bool_]:
    return rng.random((len(chances), 400)) < np.array(chances)[:, None]


def test_studies_take_the_place_of_runs() -> None:
    rng = np.random.default_rng(2)
    a, b = correctness(rng, [0.8, 0.8, 0.7, 0.7, 0.9, 0.9]), correctness(rng, [0.7] * 6)
    found = compare_tuned(a, b, [0, 1, 2, 0, 1, 2])
    gaps = (a.mean(axis=1) - b.mean(axis=1)).reshape(2, 3).mean(axis=0)
    assert found.difference == pytest.approx(gaps.mean())
    assert found.p_value == pytest.approx(scipy_stats.ttest_1samp(gaps, 0).pvalue)
    ends = scipy_stats.t.interval(0.95, 2, gaps.mean(), scipy_stats.sem(gaps))
    assert (found.seeds_low, found.seeds_high) == pytest.approx(ends)
    assert found.low < found.seeds_low
    assert found.n == 3
    runs = difference(a, b)
    assert found.probability_a_beats_b == runs.probability_a_beats_b
    assert compare_tuned(a, b, [4] * 6) == runs, "one study leaves runs as they are"


def test_a_row_is_summed_up_over_studies() -> None:
    values, which = [0.8, 0.7, 0.9, 0.6], [0, 1, 0, 1]
    found = summarize_tuned(values, which)
    low, high = scipy_stats.t.interval(0.95, 1, 0.75, scipy_stats.sem([0.85, 0.65]))
    assert (found.mean, found.low, found.high) == pytest.approx((0.75, low, high))
    assert (found.sd, found.n) == (pytest.approx(np.std(values, ddof=1)), 4)
    unequal = summarize_tuned([0.8, 0.9, 0.6], [0, 0, 1])
    assert unequal.mean == pytest.approx((0.85 + 0.6) / 2), "every study counts the same"
    alone = summarize_tuned([0.8, math.nan], [0, 1])
    assert (alone.mean, alone.low, alone.n) == (0.8, None, 1)
    assert average_studies([0.1, 0.2], [3, 3]).tolist() == [0.1, 0.2]


def test_the_luck_of_choosing_and_that_of_seeds_are_told_apart() -> None:
    rng = np.random.default_rng(4)
    studies, seeds = 4_000, 3
    which = np.repeat(np.arange(studies), seeds)
    values = rng.normal(0, 0.02, studies)[which] + rng.normal(0, 0.01, studies * seeds)
    found = split_spread(values.tolist(), which.tolist())
    assert found.between_studies == pytest.approx(0.02, rel=0.05)
    assert found.between_seeds == pytest.approx(0.01, rel=0.05)
    one = split_spread([0.1, 0.2, 0.3], [0, 0, 0])
    assert (one.between_studies, one.between_seeds) == (None, pytest.approx(0.1))
    lonely = split_spread([0.1, 0.2], [0, 1])
    assert (lonely.between_studies, lonely.between_seeds) == (None, None)
