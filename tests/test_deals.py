"""Deals are by class and by chance; the judge by neighbours is a plain search."""

import numpy as np
import pytest

from fashionbench.stats.deals import deal, judge_by_neighbours, neighbours_needed, place


def test_a_deal_gives_each_class_its_number_and_each_image_its_chance() -> None:
    labels = np.array([0, 1, 2, 0, 1, 0, 0, 1, 0, 2] * 3)
    rng = np.random.default_rng(0)
    deals = np.array([deal(labels, np.array([5, 3, 1]), rng) for _ in range(4000)])
    for label, wanted in enumerate((5, 3, 1)):
        of_class = deals[:, labels == label]
        assert (of_class.sum(axis=1) == wanted).all()
        assert np.allclose(of_class.mean(axis=0), wanted / (labels == label).sum(), atol=0.04)


def test_the_judge_is_a_plain_search_for_the_nearest_training_image() -> None:
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
    apart = np.sqrt(((points[:, None] - points) ** 2).sum(axis=2))
    np.fill_diagonal(apart, np.inf)
    neighbours = apart.argsort(axis=1)[:, :59]
    distances = np.take_along_axis(apart, neighbours, axis=1)
    testing = deal(labels, np.array([6, 4]), rng)
    ((accuracy, distance),) = judge_by_neighbours(neighbours, distances, labels, iter([testing]))
    among = np.where(testing, np.inf, apart)[testing]
    assert accuracy == (labels[among.argmin(axis=1)] == labels[testing]).mean()
    assert distance == pytest.approx(among.min(axis=1).mean())


def test_so_many_neighbours_hold_a_training_image() -> None:
    for images, tests in ((70_000, 10_000), (300, 60), (20, 10)):
        needed = neighbours_needed(images, tests)
        assert needed == images - 1 or images * (tests / images) ** needed <= 1.0001e-9


def test_a_place_is_told_by_rank_and_spread() -> None:
    found = place(3, [1, 2, 3, 4, 5])
    assert (found.mean, found.share_below, found.n) == (3, 0.5, 5)
    assert found.sd == pytest.approx(np.std([1, 2, 3, 4, 5], ddof=1))
    assert place(0, [1, 2]).share_below == 0
    assert place(9, [1, 2]).share_below == 1
