"""Groups of doubles against a plain search, and the split that keeps them together."""

import numpy as np

from fashionbench.stats.groups import group_pairs, join_groups


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


def test_no_group_is_divided_and_each_class_keeps_its_number() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [500, 300, 200])
    testing = rng.random(1000) < 0.2
    first = rng.integers(0, 1000, 150)
    groups = group_pairs(first, rng.integers(0, 1000, 150), 1000)
    joined = join_groups(labels, groups, testing)
    assert np.bincount(labels[joined]).tolist() == np.bincount(labels[testing]).tolist()
    divided = 0
    for group in np.unique(groups):
        members, before = joined[groups == group], testing[groups == group]
        assert members.all() or not members.any()
        if 0 < before.sum() < len(before):
            divided += min(before.sum(), (~before).sum())
            assert members[0] == (2 * before.sum() > len(before))
        elif len(before) > 1:
            assert (members == before).all()
    # Beside the images that have to move, at most as many take their places.
    assert divided > 10
    assert divided < (joined != testing).sum() <= 2 * divided
    assert (joined == join_groups(labels, groups, testing)).all()
    assert (joined != join_groups(labels, groups, testing, seed=1)).any()


def test_where_images_without_a_double_do_not_suffice_the_test_set_is_smaller() -> None:
    labels, groups = np.zeros(10, int), np.array([0] * 9 + [1])
    testing = np.array([False] * 6 + [True] * 3 + [False])
    joined = join_groups(labels, groups, testing)
    assert np.flatnonzero(joined).tolist() == [9]


def test_doubles_that_all_lie_on_one_side_move_nothing() -> None:
    groups = np.array([0, 0, 1, 2, 3, 3])
    testing = np.array([True, True, True, False, False, False])
    assert (join_groups(np.zeros(6, int), groups, testing) == testing).all()
