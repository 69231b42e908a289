"""Where the item of a photo is: every way finds it, and what is implausible is not taken."""

from pathlib import Path

import numpy as np
import pytest
from factories import photo
from PIL import Image

from fashionbench.inference import masks
from fashionbench.inference.masks import find_item, locate
from fashionbench.inference.photos import prepare
from fashionbench.inference.predictor import load_predictor


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("seed", range(3))
def test_every_way_finds_an_item_on_a_floor(seed: int) -> None:
    picture, inside = photo(seed)
    found, parts, is_cut = locate(np.asarray(picture))
    assert not is_cut
    assert parts == []
    assert [way for way, _, _ in found] == ["grabcut", "salient", "salient+grabcut"]
    for way, mask, rating in found:
        assert overlap(mask > 0, inside) > 0.85, way
        assert 0 < rating < 1


def test_without_the_networks_weights_there_is_grabcuts_mask(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    picture, inside = photo()
    monkeypatch.setattr(masks, "WEIGHTS", tmp_path / "none.safetensors")
    ((way, mask, _),), _, _ = locate(np.asarray(picture))
    assert way == "grabcut"
    assert overlap(mask > 0, inside) > 0.9
    assert prepare(picture).views.shape == (4, 28, 28)


def test_the_most_plausible_mask_is_the_item() -> None:
    rgb = np.asarray(photo()[0])
    best = max(locate(rgb).masks, key=lambda found: found.rating)
    assert np.array_equal(find_item(rgb), best.mask)


def test_where_nothing_stands_out_all_is_the_item() -> None:
    rgb = np.full((60, 40, 3), 90, np.uint8)
    ((way, mask, _),), _, _ = locate(rgb)
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


def beside(*pictures: Image.Image, gap: int = 30) -> Image.Image:
    """Items side by side on one ground, with their own colours."""
    wide = Image.new(
        "RGB", (sum(p.width + gap for p in pictures) + gap, pictures[0].height + 2 * gap)
    )
    wide.paste((150, 130, 95), (0, 0, *wide.size))
    left = gap
    for picture in pictures:
        inside = Image.fromarray(np.asarray(photo()[1], np.uint8) * 255).resize(picture.size)
        wide.paste(picture, (left, gap), inside)
        left += picture.width + gap
    return wide


def test_things_that_lie_apart_are_taken_apart_from_left_to_right() -> None:
    red, blue = photo()[0], Image.new("RGB", (160, 200), (30, 40, 120))
    prepared = prepare(beside(red, blue))
    assert len(prepared.parts) == 2
    (left, top, right, bottom), first = prepared.parts[0]
    width, height = 3 * 30 + 2 * 160, 200 + 2 * 30
    across = np.flatnonzero(photo()[1].any(axis=0))
    assert left == pytest.approx((30 + across[0]) / width, abs=0.03)
    assert right == pytest.approx((30 + across[-1]) / width, abs=0.03)
    assert 30 / height - 0.03 < top < bottom < 1 - 30 / height + 0.03
    assert prepared.parts[1].box[0] > right
    assert first.views.shape == (4, 28, 28)
    assert prepare(beside(red)).parts == ()


def test_an_item_that_goes_on_beyond_the_photo_is_told() -> None:
    picture, inside = photo()
    rows = np.flatnonzero(inside.any(axis=1))
    below = picture.crop((30, 0, picture.width - 30, int(rows[0] + 0.7 * len(rows))))
    assert prepare(below).is_cut
    prediction = load_predictor("photo").predict([below])[0]
    assert not prediction.sure
    assert "goes on beyond the picture" in prediction.warnings[0]
    assert not prepare(picture).is_cut
