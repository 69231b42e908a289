"""Mixing: images laid over each other or cut into each other, with their labels, in pairs."""

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import torch
from torch import Tensor

from fashionbench.core.seeds import Seed, derive_seed
from fashionbench.training.transforms import find_inside, per_image

__all__ = ["MIX", "draw_mixing", "mix"]


def _mixup(images: Tensor, partners: Tensor, u: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    shares = _beta(u[:, 0], alpha)
    return torch.lerp(partners, images, per_image(shares)), shares


def _cutmix(images: Tensor, partners: Tensor, u: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    high, wide = images.shape[-2:]
    side = (1 - _beta(u[:, 0], alpha)).sqrt()
    height, width = (side * high).round(), (side * wide).round()
    # The centre is anywhere; what lies beyond the border is cut off and not counted.
    top = (u[:, 1] * high).floor() - (height / 2).floor()
    left = (u[:, 2] * wide).floor() - (width / 2).floor()
    inside = find_inside(images, top, left, height, width)
    shares = 1 - inside.float().mean(dim=(1, 2, 3))
    return torch.where(inside, partners, images), shares


# How many uniform numbers a pair needs, and how it is mixed.
MIX: Mapping[str, tuple[int, Callable[[Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]]] = {
    "mixup": (1, _mixup),
    "cutmix": (3, _cutmix),
}


def draw_mixing(name: str, images: int, seed: Seed, epoch: int) -> Tensor:
    """Draw (N, D) uniform numbers in [0, 1) for mixing in an epoch, on the CPU."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "mixing", epoch))
    return torch.rand(images, MIX[name][0], generator=generator)


def mix(
    name: str, images: Tensor, partners: Tensor, u: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """Mix (B, C, H, W) images with as many partners by (B, D) draws; also return own (B,) shares.

    The loss is share x loss against the own label + (1 - share) x that against the partner's.
    Departure from both papers: a share for each image, not one for the batch.
    """
    return MIX[name][1](images, partners, u, alpha)


def _beta(u: Tensor, alpha: float) -> Tensor:
    """Turn uniform numbers into numbers from Beta(alpha, alpha), by a table of its quantiles."""
    quantiles = _beta_quantiles(alpha).to(u.device)
    at = u * (len(quantiles) - 1)
    below = at.long()
    return torch.lerp(quantiles[below], quantiles[below + 1], at - below)


@cache
def _beta_quantiles(alpha: float) -> Tensor:
    # Here, since few recipes mix and every process that trains would wait for the import.
    from scipy.special import betaincinv

    probabilities = np.linspace(0, 1, 4097)
    return torch.from_numpy(betaincinv(alpha, alpha, probabilities)).float()
