"""Where the item of a photo is: every way finds it, and what is implausible is not taken."""

from pathlib import Path

import numpy as np
import pytest
from factories import photo
from PIL import Image

from fashionbench.inference import masks
from fashionbench.inference.masks import find_item, find_masks
from fashionbench.inference.photos import prepare


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("seed", range(3))
def test_every_way_finds_an_item_on_a_floor(seed: int) -> None:
    picture, inside = photo(seed)
    found = find_masks(np.asarray(picture))
    assert [way for way, _, _ in found] == ["grabcut", "salient", "salient+grabcut"]
    for way, mask, rating in found:
        assert overlap(mask > 0, inside) > 0.85, way
        assert 0 < rating < 1


def test_without_the_networks_weights_there_is_grabcuts_mask(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    picture, inside = photo()
    monkeypatch.setattr(masks, "WEIGHTS", tmp_path / "none.safetensors")
    ((way, mask, _),) = find_masks(np.asarray(picture))
    assert way == "grabcut"
    assert overlap(mask > 0, inside) > 0.9
    assert prepare(picture).views.shape == (4, 28, 28)


def test_the_most_plausible_mask_is_the_item() -> None:
    rgb = np.asarray(photo()[0])
    best = max(find_masks(rgb), key=lambda found: found.rating)
    assert np.array_equal(find_item(rgb), best.mask)


def test_where_nothing_stands_out_all_is_the_item() -> None:
    rgb = np.full((60, 40, 3), 90, np.uint8)
    ((way, mask, _),) = find_masks(rgb)
    assert way == "whole"
    assert mask.all()


def test_the_views_of_a_photo_are_those_of_its_masks() -> None:
    prepared = prepare(photo()[0])
    parts = prepared.by_mask()
    assert [part.masks for part in parts] == [(mask,) for mask in prepared.masks]
    assert np.array_equal(np.concatenate([part.views for part in parts]), prepared.views)
    assert np.array_equal(prepared.image, parts[prepared.taken].image)
    plain = prepare(Image.fromarray(np.pad(np.full((20, 12), 200, np.uint8), 8)))
    assert plain.by_mask() == [plain]
