"""Augmentations against torchvision and plain loops, at the borders, and in distribution."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from fashionbench.config.augmentations import AUGMENTATIONS, MIXINGS, parse_change
from fashionbench.data.datasets import Split
from fashionbench.errors import UsageError
from fashionbench.experiments.planning import plan
from fashionbench.training.augment import (
    AFFINE,
    MIX,
    PIXELWISE,
    augment,
    draw,
    identify_changes,
    mix,
)
from fashionbench.training.batches import epoch_batches

HEIGHT, WIDTH = 28, 28


def random_images(number: int, seed: int = 0) -> Tensor:
    return torch.rand(number, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


def uniform(number: int, draws: int, seed: int = 1) -> Tensor:
    return torch.rand(number, draws, generator=torch.Generator().manual_seed(seed))


def draws_of(name: str) -> int:
    return (AFFINE.get(name) or PIXELWISE[name])[0]


def test_the_tables_have_every_name_a_recipe_may_use() -> None:
    assert {*AFFINE, *PIXELWISE} == set(AUGMENTATIONS)
    assert set(MIX) == set(MIXINGS)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_image_has_a_change_of_its_own_whatever_is_beside_it(name: str) -> None:
    chain = [(name, AUGMENTATIONS[name].strength)]
    images, u = random_images(1).repeat(64, 1, 1, 1), draw(chain, 64, seed=0, epoch=0)
    before = images.clone()
    together = augment(images, u, chain)
    assert torch.equal(images, before)  # what was given stays as it is
    assert together.shape == images.shape
    assert together.min() >= 0
    assert together.max() <= 1
    assert len(together.flatten(1).unique(dim=0)) > 1
    alone = augment(images[7:8], u[7:8], chain)
    torch.testing.assert_close(together[7:8], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_draws_follow_from_seed_and_epoch(name: str) -> None:
    chain = [(name, AUGMENTATIONS[name].strength)]
    first = draw(chain, 50, seed=3, epoch=2)
    assert torch.equal(first, draw(chain, 50, seed=3, epoch=2))
    assert not torch.equal(first, draw(chain, 50, seed=4, epoch=2))
    assert not torch.equal(first, draw(chain, 50, seed=3, epoch=3))


def test_a_flip_is_a_mirror_image_as_often_as_asked_for() -> None:
    images = random_images(4000)
    flipped = augment(images, uniform(4000, 1), [("flip", 0.3)])
    same, mirrored = (
        (flipped == x).flatten(1).all(1) for x in (images, TF.horizontal_flip(images))
    )
    assert torch.equal(same, ~mirrored)
    assert stats.binomtest(int(mirrored.sum()), 4000, 0.3).pvalue > 1e-4


def test_alternating_flips_take_turns_with_half_of_the_images_first() -> None:
    chain, images = [("alternating-flip", 1.0)], random_images(1000)
    flipped = []
    for epoch in range(4):
        changed = augment(images, draw(chain, 1000, 0, epoch), chain)
        flipped.append((changed == images.flip(-1)).flatten(1).all(1))
    assert torch.equal(flipped[0], ~flipped[1])
    assert torch.equal(flipped[0], flipped[2])
    assert torch.equal(flipped[1], flipped[3])
    assert stats.binomtest(int(flipped[0].sum()), 1000, 0.5).pvalue > 1e-4


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


def test_of_two_matrices_the_first_is_applied_first() -> None:
    """A quarter turn blurs nothing, so that the two steps and the one are equal."""
    image, turn = random_images(1), torch.tensor([[1.0]])
    corner = torch.tensor([[0.0, 0.0, 0.999999]])
    steps = augment(augment(image, turn, [("rotate", 90.0)]), corner, [("crop", 0.5)])
    once = augment(image, torch.cat([turn, corner], 1), [("rotate", 90.0), ("crop", 0.5)])
    torch.testing.assert_close(once, steps, rtol=0, atol=1e-3)
    swapped = augment(image, torch.cat([corner, turn], 1), [("crop", 0.5), ("rotate", 90.0)])
    assert (swapped - steps).abs().mean() > 0.1


def test_matrices_in_a_row_do_what_each_after_the_other_would(silhouettes) -> None:
    images = silhouettes.train.images[:32].unsqueeze(1).float() / 255
    chain = [("rotate", 20.0), ("crop", 0.8), ("scale", 0.1)]
    u = draw(chain, 32, 0, 0)
    once = augment(images, u, chain)
    column, step_by_step = 0, images
    for name, strength in chain:
        draws = draws_of(name)
        step_by_step = augment(step_by_step, u[:, column : column + draws], [(name, strength)])
        column += draws
    # Sampling three times blurs; another order would be off by whole pixels.
    assert (once - step_by_step).abs().mean() < 0.03
    assert (once - step_by_step.roll(2, -1)).abs().mean() > 0.06


def rectangles(changed: Tensor, images: Tensor) -> list[tuple[int, int, int, int]]:
    """Top, left, height and width of what changed in each image where anything did."""
    found = []
    for difference in (changed != images)[:, 0].numpy():
        if difference.any():
            rows, columns = (np.flatnonzero(difference.any(axis)) for axis in (1, 0))
            sides = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
            found.append((rows[0], columns[0], *sides))
    return found


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


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_come_from_the_beta_distribution(alpha: float) -> None:
    images = torch.zeros(4000, 1, 2, 2)
    _, shares = mix("mixup", images, images, uniform(4000, 1), alpha)
    assert stats.kstest(shares.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-4


def test_mixup_is_the_weighted_mean() -> None:
    images, partners = random_images(50), random_images(50, seed=5)
    mixed, shares = mix("mixup", images, partners, uniform(50, 1), 1.0)
    for k in range(50):
        expected = shares[k] * images[k] + (1 - shares[k]) * partners[k]
        torch.testing.assert_close(mixed[k], expected)


def test_cutmix_counts_the_pixels_that_it_takes() -> None:
    images, partners = torch.zeros(500, 1, HEIGHT, WIDTH), torch.ones(500, 1, HEIGHT, WIDTH)
    mixed, shares = mix("cutmix", images, partners, uniform(500, 3), 1.0)
    torch.testing.assert_close(1 - mixed.mean(dim=(1, 2, 3)), shares)
    for top, left, height, width in rectangles(mixed, images):
        patch = (top, left, height, width)
        inside = top > 0 and left > 0 and top + height < HEIGHT and left + width < WIDTH
        assert not inside or height == width, patch
    # Uncut the area's share is 1 - Beta(1, 1), uniform; cutting off at the border lowers it.
    assert 0.2 < 1 - shares.mean() < 0.5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_cuda_gives_the_same_images(name: str, few: Split) -> None:
    chain = [(name, AUGMENTATIONS[name].strength)]
    images, u = few.images.unsqueeze(1).float() / 255, draw(chain, len(few), 0, 0)
    on_cuda = augment(images.cuda(), u.cuda(), chain).cpu()
    torch.testing.assert_close(on_cuda, augment(images, u, chain), rtol=0, atol=1e-4)


OWN = Path(__file__).parent.parent / "examples" / "own_augmentation.py"


def test_a_persons_own_change_takes_its_turn_in_the_chain() -> None:
    images = torch.rand(5, 1, 28, 28)
    chain = [parse_change(text, AUGMENTATIONS) for text in ("invert:1", f"{OWN}:fog:0.5", "flip:0")]
    u = draw(chain, 5, seed=3, epoch=1)
    assert u.shape == (5, 6)
    inverted, density = 1 - images, 0.5 * u[:, 1].view(-1, 1, 1, 1)
    torch.testing.assert_close(augment(images, u, chain), inverted + density * (1 - inverted))


def test_editing_ones_own_change_makes_other_runs_of_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"

    def key_and_images(content: str) -> tuple[str, torch.Tensor]:
        path.write_text(f"def mine(images, uniform, strength): return {content}\n")
        augmentation = f"{path}:mine:2"
        study = plan(["v0"], ["seed"], 1, dataset="silhouettes", augmentation=augmentation)
        ((job,),) = study.entries()
        split = Split(torch.full((4, 28, 28), 255, dtype=torch.uint8), torch.arange(4))
        (batch,) = epoch_batches(split, job.recipe, [0], 0)
        return job.key, batch.images

    first, halved = key_and_images("images / strength")
    second, same = key_and_images("images / 1")
    again, _ = key_and_images("images / strength")
    assert first == again != second
    assert halved.unique().tolist() == [0.5]
    assert same.unique().tolist() == [1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("images[:, 0]", r"answers \(4, 1, 28, 28\) images with \(4, 28, 28\)"),
        ("3", "with int; it must give back as many"),
        ("images @ uniform", r"mine.py, line 2: .*\(B, 4\) uniform random numbers"),
        ("images / 0", "not finite"),
        ("images * torch.rand(()).item()", "in two ways, so it draws others itself"),
        ("images * random.random()", "in two ways, so it draws others itself"),
        ("images * numpy.random.rand()", "in two ways, so it draws others itself"),
        ("images - images.mean(0)", "when other images are beside it"),
        ("images.flip(0)", "when other images are beside it"),
    ],
)
def test_what_is_wrong_with_ones_own_change_is_told(
    content: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import random; import numpy; import torch\n"
        f"def mine(images, uniform, strength): return {content}\n"
    )
    with pytest.raises(UsageError, match=says):
        identify_changes([f"{path}:mine"])
    with pytest.raises(UsageError, match="no class or function 'his'"):
        identify_changes([f"{path}:his"])
    assert identify_changes(["flip"]) == ""
