"""The search for doubles against plain loops, scikit-learn's neighbours, and planted doubles."""

from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fashionbench.data.split import Dataset
from fashionbench.experiments.audit import doubles
from fashionbench.experiments.audit.doubles import find_doubles, list_copies
from fashionbench.experiments.audit.findings import THRESHOLD

Images = NDArray[np.uint8]


WAYS = [*product(range(-2, 3), range(-2, 3), (False, True))]
"""Pixels down and to the right, and whether mirrored."""


def moved(image: Images, down: int, right: int, mirrored: bool) -> NDArray[np.float64]:
    """Move an image, by a plain definition; what nothing moved to is no number."""
    image = image[:, ::-1] if mirrored else image
    height, width = image.shape
    found = np.full((height, width), np.nan)
    for row, column in product(range(height), range(width)):
        if 0 <= row + down < height and 0 <= column + right < width:
            found[row + down, column + right] = image[row, column]
    return found


def distances(image: Images, others: Images) -> NDArray[np.float64]:
    """Return (ways, N) root mean squared differences over the pixels that both have."""
    ways = np.stack([moved(image, *way) for way in WAYS])
    return np.stack([np.sqrt(np.nanmean((way - others) ** 2, axis=(1, 2))) for way in ways])


def some(silhouettes: Dataset, count: int, noise: int = 0) -> Images:
    rng = np.random.default_rng(0)
    images = silhouettes.train.images[:count].numpy().astype(int)
    return (images + rng.integers(-noise, noise + 1, images.shape)).clip(0, 255).astype(np.uint8)


def test_the_search_finds_what_a_plain_loop_finds(
    silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubles, "BLOCK", 8)  # so that most pairs of blocks are skipped
    originals = some(silhouettes, 24)
    kin = [moved(image, 1, -2, k % 2 == 1) for k, image in enumerate(originals)]
    images = np.concatenate([originals, np.nan_to_num(kin).astype(np.uint8)])
    expected = {
        (first, second): of_ways[:, second]
        for first, image in enumerate(images)
        for of_ways in [distances(image, images)]
        for second in range(first + 1, len(images))
    }
    limit = float(np.quantile([of_ways.min() for of_ways in expected.values()], 0.1))
    near = {pair for pair, of_ways in expected.items() if of_ways.min() <= limit}
    found = find_doubles(torch.from_numpy(images), limit)
    assert 50 < len(near) < 200
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == near
    assert (np.diff(found.distance) >= 0).all()
    for k in range(len(found)):
        of_ways = expected[int(found.first[k]), int(found.second[k])]
        told = WAYS.index((*found.shift[k].tolist(), bool(found.mirrored[k])))
        assert found.distance[k] == pytest.approx(of_ways.min())
        assert of_ways[told] == pytest.approx(of_ways.min())


@pytest.mark.parametrize("channels", [1, 3])
def test_no_neighbour_that_scikit_learn_finds_is_missed(
    silhouettes: Dataset, channels: int
) -> None:
    from sklearn.neighbors import NearestNeighbors

    images = some(silhouettes, 800, noise=8)
    if channels == 3:  # every second one is tinted
        images = np.stack([images, images // 2, images // 3], axis=1)
        images[1::2] = images[1::2, ::-1]
    limit, side = 25.0, np.sqrt(images[0].size)
    search = NearestNeighbors(radius=limit * side, algorithm="brute")
    near, rows = search.fit(images.reshape(800, -1).astype(float)).radius_neighbors()
    expected = {
        (first, int(second)): value / side
        for first, (values, seconds) in enumerate(zip(near, rows, strict=True))
        for value, second in zip(values, seconds, strict=True)
        if first < second
    }
    found = find_doubles(torch.from_numpy(images), limit)
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    ours = dict(zip(pairs, found.distance, strict=True))
    assert len(expected) > 30
    assert all(ours[pair] <= value + 1e-9 for pair, value in expected.items())
    plain = ~found.mirrored & (found.shift == 0).all(axis=1)
    for k in np.flatnonzero(plain):
        pair = int(found.first[k]), int(found.second[k])
        assert found.distance[k] == pytest.approx(expected[pair])


def test_of_planted_doubles_all_are_found_and_few_others(silhouettes: Dataset) -> None:
    """2 % of 5,000 images: recall 1, precision 0.85 or more, since some drawings are alike."""
    rng = np.random.default_rng(0)
    images, planted = some(silhouettes, 5000).copy(), set()
    originals, places = rng.permutation(5000)[:200].reshape(2, 100).tolist()
    for original, place in zip(originals, places, strict=True):
        down, right, mirrored = WAYS[rng.integers(len(WAYS))]
        known = np.nan_to_num(moved(images[original], down, right, mirrored))
        images[place] = (known + rng.normal(0, 4, (28, 28))).round().clip(0, 255)
        planted.add((min(original, place), max(original, place)))
    found = find_doubles(torch.from_numpy(images), THRESHOLD)
    named = {*zip(found.first.tolist(), found.second.tolist(), strict=True)}
    assert planted <= named
    assert len(planted) / len(named) >= 0.85


def test_of_images_that_are_all_alike_each_makes_one_pair() -> None:
    images = torch.zeros(50, 28, 28, dtype=torch.uint8)
    found = find_doubles(images)
    assert found.first.tolist() == [0] * 49
    assert found.second.tolist() == [*range(1, 50)]
    assert not found.distance.any()


def test_of_too_many_pairs_the_nearest_are_kept() -> None:
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(100, 130, (60, 28, 28), np.uint8))
    whole = find_doubles(images)
    assert len(whole) == 60 * 59 / 2
    assert whole.limit == doubles.LIMIT
    few = find_doubles(images, most=100)
    assert 90 < len(few) <= 100
    assert few.limit < whole.limit
    assert (few.distance == whole.distance[: len(few)]).all()
    assert whole.distance[len(few)] > few.limit


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_have_no_doubles(count: int) -> None:
    assert len(find_doubles(torch.zeros(count, 28, 28, dtype=torch.uint8))) == 0


def test_copies_are_told_from_the_first() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
    images[4] = images[1]
    assert list_copies(images).tolist() == [0, 1, 2, 3, 1, 5]
