"""Mixed images and their shares, against the papers' definitions."""

import pytest
import torch
from factories import random_images, rectangles, uniform
from scipy import stats

from fashionbench.config.augmentations import MIXINGS
from fashionbench.training.mixing import MIX, mix

HEIGHT, WIDTH = 28, 28


def test_the_table_has_every_name_a_recipe_may_use() -> None:
    assert set(MIX) == set(MIXINGS)


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
