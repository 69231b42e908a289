"""Changes of whole batches of images, drawn for each image; functions of uniform numbers.

All that is random is drawn beforehand, on the CPU, from the seed and the epoch: the same draw
gives the same image on every device, in whatever batch, alone or among members. What turns,
scales or crops is a matrix; matrices that follow each other are multiplied and the images
sampled once.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fashionbench.config.augmentations import AUGMENTATIONS, parse_change
from fashionbench.core.global_state import seeded
from fashionbench.core.own_code import beside, locate, told
from fashionbench.core.own_source import digest_source, digest_values, global_values
from fashionbench.core.seeds import derive_seed
from fashionbench.errors import UsageError

__all__ = ["AFFINE", "MIX", "PIXELWISE", "augment", "draw", "identify_changes", "mix"]

Chain = Sequence[tuple[str, float]]
"""Names and strengths, in order."""

SHADES = 7
"""Cells of light and shade a side: folds of cloth are about so wide."""


def _signed(u: Tensor) -> Tensor:
    """Uniform in [0, 1) -> uniform in [-1, 1)."""
    return 2 * u - 1


def _per_image(values: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)


# Matrices: (B, draws) uniform numbers and a strength -> (B, 3, 3), which take places in the
# new image to places in the old one, both in [-1, 1].


def _rotate(u: Tensor, degrees: float) -> Tensor:
    angles = _signed(u[:, 0]) * math.radians(degrees)
    cos, sin = angles.cos(), angles.sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    return torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1).view(-1, 3, 3)


def _scale(u: Tensor, share: float) -> Tensor:
    # As likely enlarged by a factor as reduced by it.
    return _window((-_signed(u[:, 0]) * math.log1p(share)).exp(), torch.zeros_like(u[:, :2]))


def _stretch(u: Tensor, share: float) -> Tensor:
    matrices = _window(torch.ones_like(u[:, 0]), torch.zeros_like(u[:, :2]))
    matrices[:, 0, 0] = (-_signed(u[:, 0]) * math.log1p(share)).exp()
    return matrices


def _crop(u: Tensor, least: float) -> Tensor:
    sides = least + u[:, 0] * (1 - least)
    return _window(sides, _signed(u[:, 1:]) * (1 - sides[:, None]))


def _window(sides: Tensor, centres: Tensor) -> Tensor:
    """(B,) sides and (B, 2) centres of the part of the old image that fills the new one."""
    matrices = torch.eye(3, device=sides.device).repeat(len(sides), 1, 1)
    matrices[:, :2, :2] *= sides[:, None, None]
    matrices[:, :2, 2] = centres
    return matrices


# Changes of pixels: (B, 1, H, W) images, (B, draws) uniform numbers and a strength -> images.


def _flip(images: Tensor, u: Tensor, probability: float) -> Tensor:
    return torch.where(_per_image(u[:, 0] < probability), images.flip(-1), images)


def _shift(images: Tensor, u: Tensor, most: float) -> Tensor:
    reach, (height, width) = int(most), images.shape[-2:]
    padded = F.pad(images, (reach, reach, reach, reach)).flatten(1)
    corners = (u[:, :2] * (2 * reach + 1)).long()  # 0 to 2 x reach
    rows = torch.arange(height, device=images.device) * (width + 2 * reach)
    within = (rows[:, None] + torch.arange(width, device=images.device)).flatten()
    first = corners[:, :1] * (width + 2 * reach) + corners[:, 1:]
    return padded.gather(1, first + within).view_as(images)


def _inside(images: Tensor, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """(B,) edges and sides of rectangles -> (B, 1, H, W) which pixels lie inside."""
    rows = torch.arange(images.shape[-2], device=images.device).view(1, 1, -1, 1)
    columns = torch.arange(images.shape[-1], device=images.device).view(1, 1, 1, -1)
    top, left, height, width = (_per_image(edge) for edge in (top, left, height, width))
    return (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)


def _erase(images: Tensor, u: Tensor, probability: float) -> Tensor:
    high, wide = images.shape[-2:]
    areas = (0.02 + u[:, 1] * (0.4 - 0.02)) * high * wide
    aspects = (_signed(u[:, 2]) * math.log(1 / 0.3)).exp()
    # The paper draws anew where a rectangle does not fit; here its longer side is cut off.
    height = (areas * aspects).sqrt().round().clamp(max=high)
    width = (areas / aspects).sqrt().round().clamp(max=wide)
    top = (u[:, 3] * (high - height + 1)).floor()
    left = (u[:, 4] * (wide - width + 1)).floor()
    inside = _inside(images, top, left, height, width)
    return torch.where(
        inside & _per_image(u[:, 0] < probability), _uniform_pixels(images, u[:, 5]), images
    )


def _cutout(images: Tensor, u: Tensor, side: float) -> Tensor:
    high, wide = images.shape[-2:]
    length = torch.full_like(u[:, 0], int(side))
    top = (u[:, 0] * high).floor() - int(side) // 2
    left = (u[:, 1] * wide).floor() - int(side) // 2
    return images.masked_fill(_inside(images, top, left, length, length), 0)


def _invert(images: Tensor, u: Tensor, probability: float) -> Tensor:
    return torch.where(_per_image(u[:, 0] < probability), 1 - images, images)


def _brightness(images: Tensor, u: Tensor, share: float) -> Tensor:
    return (images * _per_image(1 + _signed(u[:, 0]) * share)).clamp(0, 1)


def _contrast(images: Tensor, u: Tensor, share: float) -> Tensor:
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (mean + (images - mean) * _per_image(1 + _signed(u[:, 0]) * share)).clamp(0, 1)


def _shade(images: Tensor, u: Tensor, share: float) -> Tensor:
    # Light at the corners of SHADES x SHADES cells, and between them in proportion.
    corners = _uniform_pixels(images.new_empty(len(images), 1, SHADES + 1, SHADES + 1), u[:, 0])
    light = 1 + share * _signed(corners)
    size = images.shape[-2:]
    return (images * F.interpolate(light, size, mode="bilinear", align_corners=True)).clamp(0, 1)


def _pair(images: Tensor, u: Tensor, probability: float) -> Tensor:
    turned = images.rot90(1, (-2, -1))
    width = images.shape[-1]
    half = turned[..., width // 4 : width // 4 + width // 2]
    both = torch.cat([half, half.flip(-1)], dim=-1)
    return torch.where(_per_image(u[:, 0] < probability), both, images)


def _noise(images: Tensor, u: Tensor, sd: float) -> Tensor:
    # Box and Muller 1958: two uniform numbers make a normal one.
    radii = (-2 * (1 - _uniform_pixels(images, u[:, 0])).log()).sqrt()
    angles = 2 * math.pi * _uniform_pixels(images, u[:, 1])
    return (images + sd * radii * angles.cos()).clamp(0, 1)


def _uniform_pixels(images: Tensor, u: Tensor) -> Tensor:
    """(B,) uniform numbers -> (B, 1, H, W): each the start of its image's own random pixels.

    A hash of start and place (the mixing steps are those of lowbias32, Wellons 2018), in
    integers, so that every device gives the same.
    """
    places = torch.arange(images[0].numel(), device=images.device) * 0x9E3779B1
    hashed = ((u * (1 << 24)).long()[:, None] * 0x85EBCA77 + places) & 0xFFFFFFFF
    hashed = ((hashed ^ (hashed >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    hashed = ((hashed ^ (hashed >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    hashed = hashed ^ (hashed >> 16)
    # 24 bits are what float32 holds: 1 is never reached.
    return ((hashed >> 8).float() / (1 << 24)).view_as(images)


# The number of uniform numbers that an image needs, and what is done with them.
AFFINE: Mapping[str, tuple[int, Callable[[Tensor, float], Tensor]]] = {
    "crop": (3, _crop),
    "rotate": (1, _rotate),
    "scale": (2, _scale),
    "stretch": (2, _stretch),
}
PIXELWISE: Mapping[str, tuple[int, Callable[[Tensor, Tensor, float], Tensor]]] = {
    "flip": (1, _flip),
    "alternating-flip": (1, _flip),  # what is special about it is its draw
    "shift": (2, _shift),
    "erase": (6, _erase),
    "cutout": (2, _cutout),
    "invert": (1, _invert),
    "brightness": (1, _brightness),
    "contrast": (1, _contrast),
    "shade": (1, _shade),
    "pair": (1, _pair),
    "noise": (2, _noise),
}


OWN_DRAWS = 4
"""Uniform numbers that a person's own change is given for each image."""


def _draws(name: str) -> int:
    if name in AFFINE:
        return AFFINE[name][0]
    return PIXELWISE[name][0] if name in PIXELWISE else OWN_DRAWS


@cache
def _own(reference: str) -> Callable[[Tensor, Tensor, float], Tensor]:
    return locate(reference)


def identify_changes(augmentation: Sequence[str]) -> str:
    """Digest the sources of a person's own changes, each tried; "" where there are none.

    Raises UsageError, in terms of the person's file and line, for one that cannot be found, answers
    with something else than as many images of the same size, or draws numbers of its own.
    """
    _own.cache_clear()  # the files may have been edited since
    sources = []
    for text in augmentation:
        name, strength = parse_change(text, AUGMENTATIONS)
        if name not in AUGMENTATIONS:
            change = _own(name)
            with beside(name):
                before = global_values(change)
                _try(change, name, strength)
                values = digest_values(before, global_values(change))
                sources.append(replace(digest_source(change, name), values=values))
    return "+".join(map(str, sources))


def _try(change: Callable[[Tensor, Tensor, float], Tensor], name: str, strength: float) -> None:
    """Refuse a change that does not do to an image what the image and its numbers say alone."""
    with seeded(0):
        images, uniform = torch.rand(4, 1, 28, 28), torch.rand(4, OWN_DRAWS)
        try:
            answer, again = (change(images.clone(), uniform.clone(), strength) for _ in range(2))
            parts = [
                change(images[k : k + 2].clone(), uniform[k : k + 2], strength) for k in (0, 2)
            ]
        except Exception as error:
            raise UsageError(
                f"{name} cannot change images: {told(error)} It is called with (B, 1, H, W) images "
                f"in [0, 1], (B, {OWN_DRAWS}) uniform random numbers and its strength."
            ) from None
    if not isinstance(answer, Tensor) or answer.shape != images.shape:
        given = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise UsageError(
            f"{name} answers (4, 1, 28, 28) images with {given}; it must give back as many of the "
            "same size."
        )
    if answer.dtype != images.dtype:
        raise UsageError(
            f"{name} answers with numbers of {answer.dtype}; give back {images.dtype} in [0, 1], "
            "as the images are."
        )
    if not answer.isfinite().all():
        raise UsageError(f"{name} answers images in [0, 1] with numbers that are not finite.")
    if not torch.equal(answer, again):
        raise UsageError(
            f"{name} changes the same images by the same numbers in two ways, so it draws others "
            f"itself; take all that is random from the (B, {OWN_DRAWS}) uniform numbers that it is "
            "given, so that a seed gives the same images again."
        )
    if not torch.allclose(answer, torch.cat(parts), atol=1e-4):
        raise UsageError(
            f"{name} changes an image in another way when other images are beside it; which those "
            "are depends on how seeds run together, so let each image depend on itself alone."
        )


def draw(chain: Chain, images: int, seed: int, epoch: int) -> Tensor:
    """(N, D) uniform numbers in [0, 1) for a chain in an epoch, on the CPU."""
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
    """(B, 1, H, W) float images in [0, 1] and their (B, D) draws -> changed images."""
    column, pending = 0, None
    for name, strength in chain:
        mine = u[:, column : column + _draws(name)]
        column += _draws(name)
        if name in AFFINE:
            matrices = AFFINE[name][1](mine, strength)
            pending = matrices if pending is None else pending @ matrices
            continue
        images, pending = _sampled(images, pending), None
        change = PIXELWISE[name][1] if name in PIXELWISE else _own(name)
        images = change(images, mine, strength)
    return _sampled(images, pending)


def _sampled(images: Tensor, matrices: Tensor | None) -> Tensor:
    """Images as the matrices see them; black where these look beyond the border."""
    if matrices is None:
        return images
    high, wide = images.shape[-2:]
    x = (2 * torch.arange(wide, device=images.device) + 1) / wide - 1
    y = ((2 * torch.arange(high, device=images.device) + 1) / high - 1)[:, None]
    # Not F.affine_grid, whose product of small matrices costs more than the sampling on a CPU.
    upper = matrices[:, :2, :, None, None]
    grid = (upper[:, :, 0] * x + upper[:, :, 1] * y + upper[:, :, 2]).movedim(1, -1)
    return F.grid_sample(images, grid, align_corners=False)


def _mixup(images: Tensor, partners: Tensor, u: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    shares = _beta(u[:, 0], alpha)
    return torch.lerp(partners, images, _per_image(shares)), shares


def _cutmix(images: Tensor, partners: Tensor, u: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    high, wide = images.shape[-2:]
    side = (1 - _beta(u[:, 0], alpha)).sqrt()
    height, width = (side * high).round(), (side * wide).round()
    # The centre is anywhere; what lies beyond the border is cut off and not counted.
    top = (u[:, 1] * high).floor() - (height / 2).floor()
    left = (u[:, 2] * wide).floor() - (width / 2).floor()
    inside = _inside(images, top, left, height, width)
    shares = 1 - inside.float().mean(dim=(1, 2, 3))
    return torch.where(inside, partners, images), shares


MIX: Mapping[str, tuple[int, Callable[[Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]]] = {
    "mixup": (1, _mixup),
    "cutmix": (3, _cutmix),
}


def mix(
    name: str, images: Tensor, partners: Tensor, u: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """Images and partners, (B, 1, H, W) each, and (B, D) draws -> mixed images, own shares (B,).

    The loss is share x loss against the own label + (1 - share) x that against the partner's.
    Departure from both papers: a share for each image, not one for the batch.
    """
    return MIX[name][1](images, partners, u, alpha)


def _beta(u: Tensor, alpha: float) -> Tensor:
    """Uniform numbers -> numbers from Beta(alpha, alpha), by a table of its quantiles."""
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
