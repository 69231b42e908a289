"""What a recipe may do to images, as text."""

import pytest

from fashionbench.config.augmentations import AUGMENTATIONS, MIXINGS, parse_augmentation


@pytest.mark.parametrize("table", [AUGMENTATIONS, MIXINGS])
def test_every_usual_strength_is_allowed(table: dict) -> None:
    for name, change in table.items():
        assert parse_augmentation(name, table) == (name, change.strength)
        for strength in (change.low, change.high):
            assert parse_augmentation(f"{name}:{strength}", table) == (name, strength)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("turn:3", "no 'turn'; there are flip, "),
        ("shift:a", "'a' is no strength of shift; give a number"),
        ("shift:", "'' is no strength of shift; give a number"),
        ("shift:99", "shift takes 1 to 14, not 99: moved by"),
        ("crop:nan", "crop takes 0.2 to 1, not nan"),
    ],
)
def test_what_there_is_not_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_augmentation(text, AUGMENTATIONS)
