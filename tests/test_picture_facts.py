"""What is kept of training images, and what it says of a picture."""

import re

import numpy as np
import pytest

from fashionbench.data.picture_facts import (
    PictureFacts,
    measure_grounds,
    picture_facts,
    warn_of_ground,
)
from fashionbench.data.split import Dataset

RNG = np.random.default_rng(0)


def on_ground(ground: int, item: int, count: int = 20) -> np.ndarray:
    images = np.full((count, 28, 28), ground) + RNG.integers(-3, 4, (count, 28, 28))
    images[:, 8:20, 8:20] = item
    return images.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("trained", "asked", "told"),
    [
        ((0, 230), (0, 230), None),
        ((0, 230), (40, 200), None),
        ((0, 230), (255, 20), "is dark on light, but .* are light on dark"),
        ((0, 230), (140, 20), "is dark on light"),
        ((10, 230), (70, 230), None),
        ((255, 10), (255, 10), None),
        ((255, 10), (0, 255), "is light on dark, but .* are dark on light"),
        ((200, 10), (100, 200), "is light on dark"),
        ((128, 10), (100, 200), None),  # grey grounds lie on no side
        ((110, 250), (140, 20), None),
    ],
)
def test_a_ground_on_the_other_side_is_told(
    trained: tuple[int, int], asked: tuple[int, int], told: str | None
) -> None:
    facts = picture_facts(on_ground(*trained))
    found = warn_of_ground(on_ground(*asked)[0], facts)
    assert len(found) == (told is not None)
    if told:
        assert re.search(told, found[0])
        assert found[0].endswith("exchange black and white in the picture.")


def test_grounds_of_both_kinds_say_nothing() -> None:
    both = np.concatenate([on_ground(0, 230), on_ground(255, 20)])
    facts = picture_facts(both)
    for image in (on_ground(0, 230)[0], on_ground(255, 20)[0]):
        assert warn_of_ground(image, facts) == ()
    assert warn_of_ground(both[0], PictureFacts()) == ()
    assert warn_of_ground(both[0], picture_facts(both[:0])) == ()


def test_the_images_of_the_data_sets_that_come_along_are_not_told_of(silhouettes: Dataset) -> None:
    facts = picture_facts(silhouettes.train.images.numpy())
    assert [warn_of_ground(image, facts) for image in silhouettes.test.images.numpy()] == (
        [()] * len(silhouettes.test)
    )


def test_the_facts_of_many_images_are_those_of_all() -> None:
    images = np.zeros((60_000, 28, 28), np.uint8)
    images[::3] = 90
    assert picture_facts(images) == PictureFacts((0, 90))


def test_the_ground_is_the_middle_of_the_border() -> None:
    image = np.arange(15, dtype=np.uint8).reshape(3, 5)
    expected = np.median([0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14])
    assert measure_grounds(np.stack([image, image + 9])).tolist() == [expected, expected + 9]
