"""Draws follow from seed and epoch; a chain does what each augmentation after the other would."""

from pathlib import Path

import pytest
import torch
from factories import random_images
from scipy import stats

from fashionbench.config.augmentations import AUGMENTATIONS, parse_augmentation
from fashionbench.data.split import Split
from fashionbench.training.augment import (
    augment,
    draw,
)
from fashionbench.training.clothes import CLOTHES

OWN = Path(__file__).parent.parent / "examples" / "own_augmentation.py"

DRAWN = [name for name in AUGMENTATIONS if name != "fit"]  # which draws nothing


def image_for(name: str) -> torch.Tensor:
    """Noise, or for what changes clothes alone one with sleeves and legs."""
    if name not in CLOTHES:
        return random_images(1)
    image = torch.zeros(1, 1, 28, 28)
    image[..., 6:, 9:19], image[..., 6:14, 5:23], image[..., 18:, 12:16] = 0.6, 0.5, 0
    return image


@pytest.mark.parametrize("name", DRAWN)
def test_each_image_is_augmented_on_its_own_whatever_is_beside_it(name: str) -> None:
    chain = [(name, AUGMENTATIONS[name].strength)]
    images, u = image_for(name).repeat(64, 1, 1, 1), draw(chain, 64, seed=0, epoch=0)
    before = images.clone()
    together = augment(images, u, chain)
    assert torch.equal(images, before)  # what was given stays as it is
    assert together.shape == images.shape
    assert together.min() >= 0
    assert together.max() <= 1
    assert len(together.flatten(1).unique(dim=0)) > 1
    alone = augment(images[7:8], u[7:8], chain)
    torch.testing.assert_close(together[7:8], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", DRAWN)
def test_draws_follow_from_seed_and_epoch(name: str) -> None:
    chain = [(name, AUGMENTATIONS[name].strength)]
    first = draw(chain, 50, seed=3, epoch=2)
    assert torch.equal(first, draw(chain, 50, seed=3, epoch=2))
    assert not torch.equal(first, draw(chain, 50, seed=4, epoch=2))
    assert not torch.equal(first, draw(chain, 50, seed=3, epoch=3))


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
        draws = draw([(name, strength)], 1, 0, 0).shape[1]
        step_by_step = augment(step_by_step, u[:, column : column + draws], [(name, strength)])
        column += draws
    # Sampling three times blurs; another order would be off by whole pixels.
    assert (once - step_by_step).abs().mean() < 0.03
    assert (once - step_by_step.roll(2, -1)).abs().mean() > 0.06


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_cuda_gives_the_same_images(name: str, few: Split) -> None:
    chain = [(name, AUGMENTATIONS[name].strength)]
    images, u = few.images.unsqueeze(1).float() / 255, draw(chain, len(few), 0, 0)
    on_cuda = augment(images.cuda(), u.cuda(), chain).cpu()
    torch.testing.assert_close(on_cuda, augment(images, u, chain), rtol=0, atol=1e-4)


def test_an_own_augmentation_takes_its_turn_in_the_chain() -> None:
    images = torch.rand(5, 1, 28, 28)
    chain = [
        parse_augmentation(text, AUGMENTATIONS) for text in ("invert:1", f"{OWN}:fog:0.5", "flip:0")
    ]
    u = draw(chain, 5, seed=3, epoch=1)
    assert u.shape == (5, 6)
    inverted, density = 1 - images, 0.5 * u[:, 1].view(-1, 1, 1, 1)
    torch.testing.assert_close(augment(images, u, chain), inverted + density * (1 - inverted))
