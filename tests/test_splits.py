"""Splits dealt anew: the corrected interval, and its rates of error with models that learn."""

import math

import numpy as np
import pytest
from factories import sampling_error
from scipy import stats as scipy_stats

from fashionbench.stats.splits import summarize_splits

TRAIN, TEST, FEATURES = 90, 15, 6
Floats = np.ndarray


def draw_pool(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Images of two classes, told apart a little by each of two groups of features."""
    labels = np.arange(TRAIN + TEST) % 2
    return rng.normal(size=(len(labels), 2 * FEATURES)) + 0.35 * (2 * labels[:, None] - 1), labels


def deal(rng: np.random.Generator, labels: Floats) -> tuple[Floats, Floats]:
    of_classes = [rng.permutation(np.flatnonzero(labels == k)) for k in (0, 1)]
    rows = np.concatenate([rows[: TEST // 2 + k] for k, rows in enumerate(of_classes)])
    return np.setdiff1d(np.arange(len(labels)), rows), rows


def score(rng: np.random.Generator, pool: Floats, labels: Floats, split: tuple) -> float:
    """Train by the means of the classes, which a seed blurs, and return the test accuracy."""
    train, test = split
    low, high = (
        pool[train][labels[train] == k].mean(axis=0) + rng.normal(0, 0.3, pool.shape[1])
        for k in (0, 1)
    )
    called = (pool[test] - (low + high) / 2) @ (high - low) > 0
    return float(np.mean(called == labels[test]))


def compare(rng: np.random.Generator, splits: int, *, fewer: int = 0) -> list[float]:
    """Differences on splits of one pool: two models of equal worth, or one with fewer features."""
    pool, labels = draw_pool(rng)
    means = []
    for _ in range(splits):
        split = deal(rng, labels)
        first, second = (
            [score(rng, pool[:, columns], labels, split) for _ in range(2)]
            for columns in (slice(0, FEATURES), slice(FEATURES, 2 * FEATURES - fewer))
        )
        means.append(float(np.mean(first) - np.mean(second)))
    return means


@pytest.mark.slow
@pytest.mark.parametrize("splits", [3, 5, 10])
def test_equal_models_raise_false_alarms_in_5_percent_and_without_the_correction_in_more(
    splits: int,
) -> None:
    count, rng = 600, np.random.default_rng(splits)
    alarms = plain = 0
    for _ in range(count):
        means = compare(rng, splits)
        found = summarize_splits(means, train_images=TRAIN, test_images=TEST)
        alarms += found.p_value is not None and found.p_value < 0.05
        plain += np.std(means) > 0 and scipy_stats.ttest_1samp(means, 0).pvalue < 0.05
    assert alarms / count < 0.05 + sampling_error(0.05, count)
    if splits > 3:
        assert plain / count > 0.05 + sampling_error(0.05, count)


@pytest.mark.slow
@pytest.mark.parametrize("splits", [3, 5])
def test_the_interval_covers_what_other_pools_would_give(splits: int) -> None:
    count, rng = 600, np.random.default_rng(splits)
    truth = float(np.mean([compare(rng, 1, fewer=4) for _ in range(6000)]))
    assert truth > 0.05
    covered = 0
    for _ in range(count):
        means = compare(rng, splits, fewer=4)
        found = summarize_splits(means, train_images=TRAIN, test_images=TEST)
        covered += found.low <= truth <= found.high
    assert covered / count > 0.95 - sampling_error(0.95, count)
    assert covered / count < 0.995


def test_it_is_nadeau_and_bengios_corrected_t_test() -> None:
    means = [0.02, 0.03, 0.01, 0.05]
    found = summarize_splits(means, train_images=60_000, test_images=10_000, pairs=3)
    # By hand: the plain t-test's error, enlarged.
    plain = scipy_stats.ttest_1samp(means, 0)
    factor = math.sqrt((1 / 4 + 1 / 6) / (1 / 4))
    assert found.p_value == pytest.approx(2 * scipy_stats.t.sf(plain.statistic / factor, 3))
    low, high = plain.confidence_interval(0.95)
    assert found.high - found.low == pytest.approx(factor * (high - low))
    widened = plain.confidence_interval(1 - 0.05 / 3)
    assert found.limit - found.mean == pytest.approx(factor * (widened.high - found.mean))
    assert (found.mean, found.sd, found.n) == (
        pytest.approx(np.mean(means)),
        pytest.approx(np.std(means, ddof=1)),
        4,
    )


def test_one_split_tells_nothing_and_equal_ones_no_p_value() -> None:
    images = {"train_images": 60, "test_images": 10}
    assert summarize_splits([0.1], **images) is None
    assert summarize_splits([0.1, 0.1], **images).p_value is None
