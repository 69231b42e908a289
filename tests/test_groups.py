"""Groups of doubles against a plain search, and the split that keeps them together."""

import numpy as np

from fashionbench.stats.groups import deal_by_group, group_pairs


def test_groups_are_what_chains_of_pairs_link() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 200, (2, 90))
    neighbours: dict[int, set[int]] = {image: {image} for image in range(200)}
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        neighbours[one].add(other)
        neighbours[other].add(one)
    groups = group_pairs(first, second, 200)
    for image in range(200):
        reached, waiting = {image}, [image]
        while waiting:
            new = neighbours[waiting.pop()] - reached
            reached |= new
            waiting += new
        assert set(np.flatnonzero(groups == groups[image]).tolist()) == reached


def test_a_split_by_groups_parts_no_group_and_gives_each_class_its_number() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [500, 300, 200])
    first = rng.integers(0, 1000, 150)
    groups = group_pairs(first, rng.integers(0, 1000, 150), 1000)
    testing = deal_by_group(labels, groups, np.array([100, 60, 40]))
    assert np.bincount(labels[testing]).tolist() == [100, 60, 40]
    for group in np.unique(groups):
        assert len(set(testing[groups == group].tolist())) == 1
    several = np.bincount(groups)[groups] > 1
    assert 0.05 < testing[several].mean() < 0.35
    assert (testing == deal_by_group(labels, groups, np.array([100, 60, 40]))).all()
    assert (testing != deal_by_group(labels, groups, np.array([100, 60, 40]), seed=1)).any()


def test_where_single_images_do_not_suffice_the_test_set_is_smaller() -> None:
    labels, groups = np.zeros(10, int), np.array([0] * 8 + [1, 2])
    testing = deal_by_group(labels, groups, np.array([5]))
    assert np.flatnonzero(testing).tolist() == [8, 9]
