"""Sentences about a person's own pictures."""

from pathlib import Path

import numpy as np
import pytest

from fashionbench.core.shape import Shape
from fashionbench.data.notes import (
    note_copies,
    note_faintness,
    note_passed_over,
    note_reductions,
    note_strays,
)
from fashionbench.data.picture_reading import Squeezed


def seen(*kinds: tuple[int, int, bool]) -> list[Squeezed]:
    image = np.zeros((28, 28), np.uint8)
    return [Squeezed(image, (width, height), coloured, False) for width, height, coloured in kinds]


@pytest.mark.parametrize(
    ("pictures", "told"),
    [
        (seen((28, 28, False)), ()),
        ([], ()),
        (
            seen(*[(32, 32, True)] * 300),
            ("300 pictures were in color and 32x32: they are used as 28x28 in grey.",),
        ),
        (seen(*[(28, 28, True)] * 2), ("2 pictures were in color and 28x28: they are used as",)),
        (seen(*[(64, 64, False)] * 2), ("2 pictures were 64x64: they are used as 28x28 in grey.",)),
        (
            seen(*[(64, 32, False)] * 2),
            ("2 pictures were 64x32: they are used as 28x28 in grey, padded with the color of",),
        ),
        (
            seen((28, 28, True), (28, 28, False), (300, 200, False), (32, 32, True)),
            ("Of 4 pictures 2 are in color, 2 are not 28x28 (28x28 to 300x200), 1 is not square",),
        ),
    ],
)
def test_what_pictures_lose_is_told(pictures: list[Squeezed], told: tuple[str, ...]) -> None:
    found = note_reductions(pictures)
    assert len(found) == len(told)
    for sentence, beginning in zip(found, told, strict=True):
        assert sentence.startswith(beginning)


def test_what_is_shown_in_color_loses_none() -> None:
    assert note_reductions(seen(*[(32, 32, True)] * 3), Shape(3, 32)) == ()
    (told,) = note_reductions(seen((32, 32, True), (64, 32, True)), Shape(3, 32))
    assert told.startswith("Of 2 pictures 1 is not 32x32 (32x32 to 64x32), 1 is not square: they")


def test_what_is_passed_over_is_counted_by_suffix() -> None:
    files = [Path(name) for name in ("a.txt", "b.TXT", "c.csv", "README", "caf\udce9.d\udce9")]
    (told,) = note_passed_over(files)
    assert told == (
        "5 files were passed over because they are not pictures that can be read: 2 .txt, 1 .csv, "
        "1 .d\\xe9, 1 without a suffix."
    )
    assert note_passed_over([]) == note_strays([]) == ()
    assert note_passed_over(files[2:3])[0].startswith("1 file was passed over because it is not a")
    (strays,) = note_strays(files[:2])
    assert strays.startswith("2 pictures were passed over because they lie in no class's folder: ")


def test_copies_are_counted_as_comparing_each_with_each_counts_them() -> None:
    rng = np.random.default_rng(0)
    train = rng.integers(0, 2, (40, 2, 2)).astype(np.uint8)  # of 16 images there are
    test = rng.integers(0, 2, (9, 2, 2)).astype(np.uint8)
    count = sum(any(np.array_equal(a, b) for b in train) for a in test)
    assert 1 < count <= len(test)
    (told,) = note_copies(train, test)
    assert told.startswith(f"{count} of 9 test images are copies of training images")
    assert note_copies(train + 2, test) == ()
    assert "1 of 1 test images is a copy" in note_copies(train, train[:1])[0]


@pytest.mark.parametrize(
    ("lowest", "highest", "told"),
    [(0, 9, "10 grey levels"), (100, 100, "1 grey level"), (0, 30, "31 grey"), (0, 31, None)],
)
def test_few_grey_levels_are_told(lowest: int, highest: int, told: str | None) -> None:
    images = np.full((5, 28, 28), lowest, np.uint8)
    images[:, 3, 3] = highest
    images[0, 0, 0] = 255  # one picture with a spot does not hide the others
    found = note_faintness(images)
    assert len(found) == (told is not None)
    assert all(f"no more than {told}" in sentence for sentence in found)
