"""The augmentations themselves: images and uniform numbers -> images, one function each.

Whatever turns, scales or crops is a matrix (AFFINE); all else computes pixels (PIXELWISE).
`augment` puts them together.
"""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["AFFINE", "PIXELWISE", "find_inside", "per_image"]

SHADES = 7
"""Cells of light and shade a side: folds of cloth are about so wide."""


def _signed(u: Tensor) -> Tensor:
    """Stretch numbers in [0, 1) to [-1, 1)."""
    return 2 * u - 1


def per_image(values: Tensor) -> Tensor:
    """View (B,) values as (B, 1, 1, 1), to meet images."""
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
    """Return matrices by (B,) sides and (B, 2) centres of the part that fills the new image."""
    matrices = torch.eye(3, device=sides.device).repeat(len(sides), 1, 1)
    matrices[:, :2, :2] *= sides[:, None, None]
    matrices[:, :2, 2] = centres
    return matrices


# Pixels: (B, C, H, W) images, (B, draws) uniform numbers and a strength -> images.


def _flip(images: Tensor, u: Tensor, probability: float) -> Tensor:
    return torch.where(per_image(u[:, 0] < probability), images.flip(-1), images)


def _shift(images: Tensor, u: Tensor, most: float) -> Tensor:
    reach, (height, width) = int(most), images.shape[-2:]
    padded = F.pad(images, (reach, reach, reach, reach)).flatten(2)  # (B, C, places)
    corners = (u[:, :2] * (2 * reach + 1)).long()  # 0 to 2 x reach
    rows = torch.arange(height, device=images.device) * (width + 2 * reach)
    within = (rows[:, None] + torch.arange(width, device=images.device)).flatten()
    first = corners[:, :1] * (width + 2 * reach) + corners[:, 1:]
    places = (first + within)[:, None].expand(-1, images.shape[1], -1)
    return padded.gather(2, places).view_as(images)


def find_inside(images: Tensor, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Tell for (B,) edges and sides of rectangles which (B, C, H, W) pixels lie inside."""
    rows = torch.arange(images.shape[-2], device=images.device).view(1, 1, -1, 1)
    columns = torch.arange(images.shape[-1], device=images.device).view(1, 1, 1, -1)
    top, left, height, width = (per_image(edge) for edge in (top, left, height, width))
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
    inside = find_inside(images, top, left, height, width)
    return torch.where(
        inside & per_image(u[:, 0] < probability), _uniform_pixels(images, u[:, 5]), images
    )


def _cutout(images: Tensor, u: Tensor, side: float) -> Tensor:
    high, wide = images.shape[-2:]
    length = torch.full_like(u[:, 0], int(side))
    top = (u[:, 0] * high).floor() - int(side) // 2
    left = (u[:, 1] * wide).floor() - int(side) // 2
    return images.masked_fill(find_inside(images, top, left, length, length), 0)


def _invert(images: Tensor, u: Tensor, probability: float) -> Tensor:
    return torch.where(per_image(u[:, 0] < probability), 1 - images, images)


def _brightness(images: Tensor, u: Tensor, share: float) -> Tensor:
    return (images * per_image(1 + _signed(u[:, 0]) * share)).clamp(0, 1)


def _contrast(images: Tensor, u: Tensor, share: float) -> Tensor:
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (mean + (images - mean) * per_image(1 + _signed(u[:, 0]) * share)).clamp(0, 1)


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
    return torch.where(per_image(u[:, 0] < probability), both, images)


def _noise(images: Tensor, u: Tensor, sd: float) -> Tensor:
    # Box and Muller 1958: two uniform numbers make a normal one.
    radii = (-2 * (1 - _uniform_pixels(images, u[:, 0])).log()).sqrt()
    angles = 2 * math.pi * _uniform_pixels(images, u[:, 1])
    return (images + sd * radii * angles.cos()).clamp(0, 1)


def _uniform_pixels(images: Tensor, u: Tensor) -> Tensor:
    """Turn (B,) uniform numbers into (B, C, H, W): each starts its image's own random pixels.

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
