"""Augment whole batches of images, each image by draws of its own.

All that is random is drawn beforehand, on the CPU, from the seed and the epoch: the same draw
gives the same image on every device, in whatever batch, alone or among members. Matrices that
follow each other are multiplied and the images sampled once.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from fashionbench.core.seeds import Seed, derive_seed
from fashionbench.training.clothes import CLOTHES
from fashionbench.training.own_augmentations import OWN_DRAWS, find_own
from fashionbench.training.transforms import AFFINE, PIXELWISE

__all__ = ["augment", "draw"]

Chain = Sequence[tuple[str, float]]
"""Names and strengths, in order."""

_BUILT_IN = {**PIXELWISE, **CLOTHES}


def draw(chain: Chain, images: int, seed: Seed, epoch: int) -> Tensor:
    """Draw (N, D) uniform numbers in [0, 1) for a chain in an epoch, on the CPU."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "augmentation", epoch))
    u = torch.rand(images, sum(_draws(name) for name, _ in chain), generator=generator)
    column = 0
    for name, _ in chain:
        if name == "alternating-flip":
            # In which epochs an image is mirrored is drawn once: then in every other one. Those
            # that are not gain 1, which is above every probability.
            generator = torch.Generator().manual_seed(derive_seed(seed, "alternation"))
            first = torch.rand(images, 2, generator=generator)
            now = (first[:, 0] < 0.5) == bool(epoch % 2)
            u[:, column] = first[:, 1] + now
        column += _draws(name)
    return u


def augment(images: Tensor, u: Tensor, chain: Chain) -> Tensor:
    """Augment (B, C, H, W) float32 images in [0, 1] by a chain and their (B, D) draws."""
    images = F.pad(images, (sum(int(room) for name, room in chain if name == "fit"),) * 4)
    column = 0
    pending: Tensor | None = None  # (B, 3, 3): matrices that are yet to be sampled by
    for name, strength in chain:
        draws = u[:, column : column + _draws(name)]
        column += _draws(name)
        if name in AFFINE:
            matrices = AFFINE[name][1](draws, strength)
            pending = matrices if pending is None else pending @ matrices
            continue
        images, pending = _sampled(images, pending), None
        transform = _BUILT_IN[name][1] if name in _BUILT_IN else find_own(name)
        images = transform(images, draws, strength)
    return _sampled(images, pending)


def _sampled(images: Tensor, matrices: Tensor | None) -> Tensor:
    """Sample images where (B, 3, 3) matrices look; beyond the border is black."""
    if matrices is None:
        return images
    high, wide = images.shape[-2:]
    x = (2 * torch.arange(wide, device=images.device) + 1) / wide - 1
    y = ((2 * torch.arange(high, device=images.device) + 1) / high - 1)[:, None]
    # Not F.affine_grid, whose product of small matrices costs more than the sampling on a CPU.
    upper = matrices[:, :2, :, None, None]
    grid = (upper[:, :, 0] * x + upper[:, :, 1] * y + upper[:, :, 2]).movedim(1, -1)
    return F.grid_sample(images, grid, align_corners=False)


def _draws(name: str) -> int:
    """Return how many uniform numbers an image needs."""
    if name in AFFINE:
        return AFFINE[name][0]
    return _BUILT_IN[name][0] if name in _BUILT_IN else OWN_DRAWS
