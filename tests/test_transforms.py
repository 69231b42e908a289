"""Every augmentation against torchvision or a plain loop, at the borders, and in distribution."""

import math

import numpy as np
import pytest
import torch
from factories import random_images, rectangles, uniform
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms.v2 import functional as TF

from fashionbench.config.augmentations import AUGMENTATIONS
from fashionbench.training.augment import (
    augment,
)
from fashionbench.training.clothes import CLOTHES
from fashionbench.training.transforms import AFFINE, PIXELWISE

HEIGHT, WIDTH = 28, 28


def draws_of(name: str) -> int:
    return (AFFINE.get(name) or PIXELWISE[name])[0]


def test_the_tables_have_every_name_a_recipe_may_use() -> None:
    assert {*AFFINE, *PIXELWISE, *CLOTHES} == set(AUGMENTATIONS)


def test_a_flip_is_a_mirror_image_as_often_as_asked_for() -> None:
    images = random_images(4000)
    flipped = augment(images, uniform(4000, 1), [("flip", 0.3)])
    same, mirrored = (
        (flipped == x).flatten(1).all(1) for x in (images, TF.horizontal_flip(images))
    )
    assert torch.equal(same, ~mirrored)
    assert stats.binomtest(int(mirrored.sum()), 4000, 0.3).pvalue > 1e-4


@given(reach=st.integers(1, 14), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_shift_moves_pixels_and_lets_black_in(reach: int, data: st.DataObject) -> None:
    down, right = (data.draw(st.integers(-reach, reach)) for _ in range(2))
    u = (torch.tensor([[-down, -right]]) + reach + 0.5) / (2 * reach + 1)
    image = random_images(1)
    expected = np.zeros((HEIGHT, WIDTH), np.float32)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            if 0 <= y - down < HEIGHT and 0 <= x - right < WIDTH:
                expected[y, x] = image[0, 0, y - down, x - right]
    np.testing.assert_array_equal(augment(image, u, [("shift", reach)])[0, 0].numpy(), expected)


def test_shifts_are_uniform() -> None:
    dot = torch.zeros(5000, 1, HEIGHT, WIDTH)
    dot[:, 0, 14, 14] = 1
    at = augment(dot, uniform(5000, 2), [("shift", 2)]).flatten(1).argmax(1)
    counts = torch.bincount((at // WIDTH - 12) * 5 + at % WIDTH - 12, minlength=25)
    assert len(counts) == 25
    assert stats.chisquare(counts.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("u", [0.0, 0.2, 0.5, 0.95])
@pytest.mark.parametrize("name", ["rotate", "scale"])
def test_turning_and_scaling_are_torchvisions(name: str, u: float) -> None:
    image, strength = random_images(1), AUGMENTATIONS[name].strength
    signed = 2 * u - 1
    # torchvision's affine turns clockwise for positive angles.
    angle = -signed * strength if name == "rotate" else 0.0
    factor = (1 + strength) ** signed if name == "scale" else 1.0
    expected = TF.affine(
        image, angle, [0, 0], factor, [0.0, 0.0], interpolation=TF.InterpolationMode.BILINEAR
    )
    ours = augment(image, torch.full((1, draws_of(name)), u), [(name, strength)])
    torch.testing.assert_close(ours, expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("width", [20, 28, 40])
def test_stretching_is_torchvisions_resize_of_the_width(width: int) -> None:
    image = random_images(1)
    resized = TF.resize(image, [HEIGHT, width], antialias=False)
    expected = TF.center_crop(resized, [HEIGHT, WIDTH])
    signed = math.log(width / WIDTH) / math.log(1.5)
    ours = augment(image, torch.tensor([[(signed + 1) / 2, 0.0]]), [("stretch", 0.5)])
    # At its edges torchvision repeats the last column, ours fades into the black beyond.
    margin = slice(max(0, (WIDTH - width) // 2 + 2), min(WIDTH, (WIDTH + width) // 2 - 2))
    torch.testing.assert_close(ours[..., margin], expected[..., margin], rtol=0, atol=1e-4)


@pytest.mark.parametrize("corner", [(0.0, 0.0), (0.999999, 0.999999), (0.0, 0.999999)])
def test_a_crop_reaches_the_border_and_not_beyond(corner: tuple[float, float]) -> None:
    image = random_images(1)
    u = torch.tensor([[0.0, *corner]])  # the smallest side: half
    right, down = (14 * round(c) for c in corner)
    part = image[..., down : down + 14, right : right + 14]
    expected = TF.resize(part, [28, 28], antialias=False)
    ours = augment(image, u, [("crop", 0.5)])
    # At the part's own edge ours sees the neighbours that torchvision has cut off.
    torch.testing.assert_close(ours[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], rtol=0, atol=1e-4)


def test_erasing_fills_rectangles_as_published() -> None:
    images = torch.full((4000, 1, HEIGHT, WIDTH), -1.0)  # no noise is like this
    changed = augment(images, uniform(4000, 6), [("erase", 0.5)])
    found = rectangles(changed, images)
    assert stats.binomtest(len(found), 4000, 0.5).pvalue > 1e-4
    _, _, heights, widths = np.array(found).T
    areas = heights * widths / (HEIGHT * WIDTH)
    assert areas.min() >= 0.01  # 2 %, but for rounding sides
    assert areas.max() <= 0.45
    assert np.median(areas) == pytest.approx(0.21, abs=0.02)
    assert np.median(np.log(heights / widths)) == pytest.approx(0, abs=0.08)
    erased = changed[changed >= 0]
    assert len(erased) == (heights * widths).sum()  # solid rectangles
    assert stats.kstest(erased[::50].numpy(), "uniform").pvalue > 1e-4


@pytest.mark.parametrize("side", [1, 4, 9])
def test_cutout_is_a_square_cut_off_at_the_border(side: int) -> None:
    images = torch.ones(3000, 1, HEIGHT, WIDTH)
    u = uniform(3000, 2)
    changed = augment(images, u, [("cutout", side)])
    for k in range(0, 3000, 100):
        y, x = (int(value * 28) - side // 2 for value in u[k].tolist())
        expected = np.ones((HEIGHT, WIDTH), np.float32)
        expected[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)] = 0
        np.testing.assert_array_equal(changed[k, 0].numpy(), expected)
    assert (changed == 0).flatten(1).any(1).all()
    assert (changed[:, 0, 0, 0] == 0).any()  # also in the corners
    assert (changed[:, 0, -1, -1] == 0).any()


def test_inverting_is_black_for_white() -> None:
    images = random_images(2)
    changed = augment(images, torch.tensor([[0.2], [0.8]]), [("invert", 0.5)])
    torch.testing.assert_close(changed, torch.stack([TF.invert(images[0]), images[1]]))


@pytest.mark.parametrize("u", [0.0, 0.3, 0.9])
def test_brightness_and_contrast_are_torchvisions(u: float) -> None:
    image, draws = random_images(1), torch.tensor([[u]])
    factor = 1 + (2 * u - 1) * 0.4
    torch.testing.assert_close(
        augment(image, draws, [("brightness", 0.4)]), TF.adjust_brightness(image, factor)
    )
    torch.testing.assert_close(
        augment(image, draws, [("contrast", 0.4)]), TF.adjust_contrast(image, factor)
    )


def test_shade_varies_slowly_within_its_strength_and_leaves_black_black() -> None:
    grey = torch.full((300, 1, HEIGHT, WIDTH), 0.5)
    grey[..., 20:, :] = 0
    changed = augment(grey, uniform(300, 1), [("shade", 0.4)])
    assert (changed[..., 20:, :] == 0).all()
    light = changed[..., :20, :] / 0.5
    assert light.min() >= 0.6
    assert light.max() <= 1.4
    assert light.mean() == pytest.approx(1, abs=0.01)
    steps = (light[..., 1:] - light[..., :-1]).abs().max()
    assert steps <= 0.8 * 7 / (WIDTH - 1) + 1e-5  # from one end to the other across a cell
    assert light.std(dim=0).min() > 0.1


def test_a_pair_is_the_image_upright_and_its_mirror_image() -> None:
    images = random_images(2)
    both, same = augment(images, torch.tensor([[0.1], [0.9]]), [("pair", 0.5)])
    assert torch.equal(same, images[1])
    upright = images[0].rot90(1, (-2, -1))[..., 7:21]
    assert torch.equal(both[..., :14], upright)
    assert torch.equal(both[..., 14:], upright.flip(-1))


def test_noise_is_normal_and_independent() -> None:
    grey = torch.full((400, 1, HEIGHT, WIDTH), 0.5)
    noise = (augment(grey, uniform(400, 2), [("noise", 0.05)]) - 0.5) / 0.05
    assert stats.kstest(noise.flatten()[::7].numpy(), "norm").pvalue > 1e-4
    assert noise.mean().abs() < 5 / math.sqrt(noise.numel())
    between_images = torch.corrcoef(noise.flatten(1))
    off_diagonal = between_images - torch.eye(400)
    assert off_diagonal.abs().max() < 6 / math.sqrt(HEIGHT * WIDTH)
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean()
    assert neighbours.abs() < 5 / math.sqrt(noise.numel())
