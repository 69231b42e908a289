"""Pairs of positions become counts, groups and names."""

import numpy as np
import pytest

from fashionbench.experiments.audit.doubles import Doubles
from fashionbench.experiments.audit.findings import Pooled, describe_doubles, known_test_images


def doubles(*rows: tuple[int, int, float, int, bool]) -> Doubles:
    first, second, distance, down, mirrored = zip(*rows, strict=True)
    shift = np.stack([np.array(down), np.zeros(len(rows), int)], axis=1)
    return Doubles(
        np.array(first), np.array(second), np.array(distance), shift, np.array(mirrored), 16.0
    )


@pytest.fixture
def pooled() -> Pooled:
    """Six training images and four test images of two classes."""
    return Pooled(np.array([0, 0, 0, 1, 1, 1, 0, 0, 1, 1]), 6, ("bag", "boot"), {})


@pytest.fixture
def found() -> Doubles:
    return doubles(
        (0, 1, 0.0, 0, False),  # the same, within train
        (6, 7, 0.0, 0, False),  # the same, within test
        (2, 8, 0.0, 0, True),  # mirrored, across, with another label
        (3, 4, 0.0, 1, False),  # the same but moved
        (1, 6, 9.0, 0, False),
        (4, 5, 15.0, 0, False),  # beyond the threshold
    )


def test_pairs_are_counted_by_kind_place_and_label(found: Doubles, pooled: Pooled) -> None:
    summary = describe_doubles(found, pooled, threshold=12)
    counts = {
        (count.kind, count.where): (count.same_label, count.other_label)
        for count in summary.counts
        if count.same_label or count.other_label
    }
    assert counts == {
        ("exact", "within train"): (1, 0),
        ("exact", "within test"): (1, 0),
        ("mirrored", "across"): (0, 1),
        ("near", "within train"): (1, 0),
        ("near", "across"): (1, 0),
    }
    assert len(summary.counts) == 9
    assert (summary.images, summary.groups, summary.largest_group) == (8, 3, 4)
    by_distance = [(step.same_label, step.other_label) for step in summary.distances]
    assert len(by_distance) == 16
    assert by_distance[0] == (3, 1)
    assert by_distance[9] == (1, 0)
    assert by_distance[15] == (1, 0)


def test_pairs_are_named_by_split_position_and_label(found: Doubles, pooled: Pooled) -> None:
    pair = describe_doubles(found, pooled, threshold=12).pairs[2]
    assert (pair.a.split, pair.a.position, pair.a.label, pair.a.file) == ("train", 2, "bag", None)
    assert (pair.b.split, pair.b.position, pair.b.label) == ("test", 2, "boot")
    assert pair.kind == "mirrored"
    assert pair.is_mirrored


def test_a_copy_is_known_where_the_image_that_it_copies_is(found: Doubles, pooled: Pooled) -> None:
    assert known_test_images(found, pooled, threshold=12).tolist() == [0, 1, 2]
    assert known_test_images(found, pooled, threshold=5).tolist() == [2]
    summary = describe_doubles(found, pooled, threshold=12)
    assert summary.test_images_known == 3


def test_pictures_are_named_by_their_files() -> None:
    files = {"train": ["bag/1.png", "boot/1.png"], "test": ["bag/2.png"]}
    pooled = Pooled(np.array([0, 1, 0]), 2, ("bag", "boot"), files)
    assert [pooled.place(k).file for k in range(3)] == ["bag/1.png", "boot/1.png", "bag/2.png"]
