"""Clothes as people lay and photograph them, made of clothes as a shop shows them.

The data set's items hang straight and alone, cut out by hand. On a bed or a floor their arms and
legs lie apart, folds throw shadows, another thing lies beside them, and the outline that is found
has lost a sleeve or kept a piece of the ground. Each function takes (B, 1, H, W) images in [0, 1],
light on black, with (B, draws) uniform numbers and a strength, as those of `transforms` do.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["CLOTHES"]

ITEM = 0.05
"""What is lighter belongs to the item."""
LEAST = 12
"""Pixels of sleeves."""
SHOULDER = -0.72
"""How high arms begin, in half heights of an item from its middle."""
MEDIAN = 170 / 255
"""The grey level that a photo's item is brought to."""
DARKEST = 20 / 255
"""No item of a photo is darker."""


class _Places(NamedTuple):
    """Where the pixels of (B, 1, H, W) images lie: (B, H, W), in half heights of the item."""

    x: Tensor
    y: Tensor
    middle: Tensor
    """(B, 2): of the item, in [-1, 1] of the image."""
    half: Tensor
    """(B, 2): half the item's width and height, in the same unit."""


def _find_item(images: Tensor) -> tuple[Tensor, Tensor]:
    """Find the middle and half the size of the box around each item: (B, 2) each, x first."""
    inside = images[:, 0] > ITEM
    ends = []
    for axis in (1, 2):  # over rows, then over columns
        some = inside.any(dim=axis)
        size = some.shape[1]
        first = some.float().argmax(dim=1)
        last = size - some.flip(1).float().argmax(dim=1)
        last = torch.where(some.any(dim=1), last, torch.full_like(last, size))
        ends.append((2 * first / size - 1, 2 * last / size - 1))
    low, high = (torch.stack([x, y], dim=1) for x, y in zip(*ends, strict=True))
    return (low + high) / 2, (high - low) / 2


def _place(images: Tensor) -> _Places:
    height, width = images.shape[-2:]
    middle, half = _find_item(images)
    x = (2 * torch.arange(width, device=images.device) + 1) / width - 1
    y = (2 * torch.arange(height, device=images.device) + 1) / height - 1
    unit = half[:, 1].view(-1, 1, 1)
    return _Places(
        ((x - middle[:, :1])[:, None] / unit).expand(-1, height, width),
        ((y - middle[:, 1:])[..., None] / unit).expand(-1, height, width),
        middle,
        half,
    )


def _sample(images: Tensor, at: _Places, x: Tensor, y: Tensor) -> Tensor:
    """Sample at (B, H, W) places, given in half heights of the item from its middle."""
    unit = at.half[:, 1].view(-1, 1, 1)
    grid = torch.stack(
        [x * unit + at.middle[:, :1, None], y * unit + at.middle[:, 1:, None]], dim=-1
    )
    return F.grid_sample(images, grid, align_corners=False)


def _choose(condition: Tensor, changed: Tensor, images: Tensor) -> Tensor:
    return torch.where(condition.view(-1, 1, 1, 1), changed, images)


def _is_upright(images: Tensor, at: _Places) -> Tensor:
    """Tell which items are about as high as wide, or higher, and the same left and right."""
    mirrored = (images - images.flip(-1)).abs().mean(dim=(1, 2, 3))
    alike = mirrored < 0.3 * images.mean(dim=(1, 2, 3))
    return alike & (at.half[:, 1] >= 0.95 * at.half[:, 0])


def _find_body(images: Tensor, at: _Places, u: Tensor) -> Tensor:
    """Find half the width without arms: that of the hem, or a part of it where sleeves are long.

    It is infinite where there are no sleeves.
    """
    out = at.x.abs() * (images[:, 0] > ITEM)
    hem = (out * ((at.y > 0.2) & (at.y < 0.8))).amax(dim=(1, 2))
    widest = out.amax(dim=(1, 2))
    long_sleeves = (hem > 0.85 * widest) & (widest > 0.6)
    short_sleeves = widest > 1.2 * hem
    short = torch.where(short_sleeves, 1.04 * hem + 0.04, torch.full_like(hem, math.inf))
    return torch.where(long_sleeves, hem * (0.5 + 0.16 * u), short)


def _spread_arms(images: Tensor, u: Tensor, degrees: float) -> Tensor:
    """Turn what hangs at the sides of an upright item outwards at the shoulders, not both alike."""
    at = _place(images)
    lifted = (degrees * math.pi / 180) * ((u[:, 0] - 0.25) / 0.75).clamp(min=0)
    right, left = lifted, lifted * (1 - 0.6 * u[:, 1])
    cut = _find_body(images, at, u[:, 2]).view(-1, 1, 1)
    # Zoomed out until the arms fit in.
    arms = (images[:, 0] > ITEM) & (at.x.abs() > cut)
    length = torch.where(arms, at.y - SHOULDER, torch.zeros_like(at.y)).amax(dim=(1, 2))
    reach = cut[:, 0, 0] + length * lifted.sin() + 0.25 * lifted.cos()
    room = (1 - at.middle[:, 0].abs()) / at.half[:, 1]
    zoom = (reach / room).clamp(min=1).view(-1, 1, 1)
    x, y, side = at.x.abs() * zoom, at.y * zoom, at.x.sign()
    angle = torch.where(at.x > 0, right.view(-1, 1, 1), left.view(-1, 1, 1))
    along, down = x - cut, y - SHOULDER
    across = along * angle.cos() - down * angle.sin()
    down = along * angle.sin() + down * angle.cos()
    turned = _sample(images, at, side * (across + cut), down + SHOULDER) * (across >= 0)[:, None]
    body = _sample(images, at, side * x, y) * (x < cut)[:, None]
    changed = torch.where(body > ITEM, body, turned)
    has_arms = (arms.sum(dim=(1, 2)) >= LEAST) & _is_upright(images, at)
    return _choose(has_arms & (lifted > 0), changed, images)


def _spread_legs(images: Tensor, u: Tensor, most: float) -> Tensor:
    """Shear the legs of what has a gap between them apart, each by up to `most` of its length."""
    at = _place(images)
    low = (at.y > 0.5) & (at.y < 0.95)
    light = [
        (images[:, 0] * (low & band)).sum(dim=(1, 2)) / (low & band).sum(dim=(1, 2)).clamp(min=1)
        for band in (at.x.abs() < 0.06, (at.x.abs() > 0.12) & (at.x.abs() < 0.3))
    ]
    has_legs = light[0] < 0.5 * light[1]
    apart = (most * u[:, 0]).view(-1, 1, 1) * (at.y + 0.3).clamp(min=0)
    x = at.x.abs() - apart
    changed = _sample(images, at, at.x.sign() * x, at.y) * (x > 0)[:, None]
    return _choose(_is_upright(images, at) & has_legs, changed, images)


def _lay_beside(images: Tensor, u: Tensor, probability: float) -> Tensor:
    """Lay a turned copy beside the item, of which the border of the image cuts most off."""
    at = _place(images)
    away, turn = 2 * math.pi * u[:, 1].view(-1, 1, 1), 2 * math.pi * u[:, 2].view(-1, 1, 1)
    far = (1.3 + 0.7 * u[:, 3]).view(-1, 1, 1)
    x, y = at.x - far * away.cos(), at.y - far * away.sin()
    other = _sample(images, at, x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin())
    other = other * (0.4 + 1.2 * u[:, 4]).view(-1, 1, 1, 1)
    changed = torch.where(images > ITEM, images, other.clamp(0, 1))
    return _choose(u[:, 0] < probability, changed, images)


def _spoil_outline(images: Tensor, u: Tensor, probability: float) -> Tensor:
    """Give the outline a fault, with this probability: a part cut off, or a piece of the ground."""
    at = _place(images)
    angle = 2 * math.pi * u[:, 1].view(-1, 1, 1)
    along = at.x * angle.cos() + at.y * angle.sin()
    across = at.y * angle.cos() - at.x * angle.sin()
    cut = images * (along < (0.45 + 0.5 * u[:, 2]).view(-1, 1, 1))[:, None]
    sides = (0.15 + 0.5 * u[:, 3:5]).view(-1, 2, 1, 1)
    distance = (along - (0.6 + 0.5 * u[:, 2]).view(-1, 1, 1)) / sides[:, 0]
    piece = (distance**2 + (across / sides[:, 1]) ** 2 < 1)[:, None]
    ground = images.new_ones(1) * (0.1 + 0.9 * u[:, 5]).view(-1, 1, 1, 1)
    stayed = torch.where(piece & (images <= ITEM), ground, images)
    changed = _choose(u[:, 0] < probability / 2, cut, stayed)
    return _choose(u[:, 0] < probability, changed, images)


def _hang(images: Tensor, u: Tensor, probability: float) -> Tensor:
    """Draw a hanger's hook above an upright item, with this probability, where there is room."""
    at = _place(images)
    x, y = at.x - 0.1 * (u[:, 1] - 0.5).view(-1, 1, 1), at.y + 1
    high, thick = (0.12 + 0.16 * u[:, 2]).view(-1, 1, 1), 0.035
    stem = (x.abs() < thick) & (y < 0.1) & (y > -high)
    ring = ((x**2 + (y + high + 0.1) ** 2).sqrt() - 0.1).abs() < thick
    drawn = stem | (ring & ((x > 0) | (y + high + 0.1 < 0)))
    light = (0.2 + 0.8 * u[:, 3]).view(-1, 1, 1, 1)
    changed = torch.where(drawn[:, None] & (images <= ITEM), light, images)
    return _choose(_is_upright(images, at) & (u[:, 0] < probability), changed, images)


def _fit(images: Tensor, _: Tensor, room: float) -> Tensor:
    """Cut (B, 1, H, W) images to their items, enlarged to fill what `room` left of H and W."""
    side = images.shape[-1] - 2 * int(room)
    middle, half = _find_item(images)
    half = half.amax(dim=1).view(-1, 1, 1)
    steps = (2 * torch.arange(side, device=images.device) + 1) / side - 1
    x = (steps * half + middle[:, :1, None]).expand(-1, side, -1)
    y = (steps[:, None] * half + middle[:, 1:, None]).expand(-1, -1, side)
    return F.grid_sample(images, torch.stack([x, y], dim=-1), align_corners=False)


def _fold(images: Tensor, u: Tensor, share: float) -> Tensor:
    """Lay three folds across: light on one side of a line and dark on the other, by this share."""
    at = _place(images)
    light = torch.ones_like(at.x)
    for angle, place, width, strength in u.T.reshape(3, 4, -1, 1, 1):
        angle = math.pi * angle
        along = at.x * angle.cos() + at.y * angle.sin()
        distance = (along - (1.6 * place - 0.8)) / (0.06 + 0.2 * width)
        light = light + (2 * strength - 1) * share * 2.3 * distance * (-distance.square()).exp()
    return (images * light[:, None]).clamp(0, 1)


def _level(images: Tensor, u: Tensor, share: float) -> Tensor:
    """Bring an item to the grey levels of one cut from a photo, with more contrast or less."""
    inside = images > ITEM
    count = inside.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)
    mean = (images * inside).sum(dim=(1, 2, 3), keepdim=True) / count
    contrast = ((2 * u[:, 1] - 1.2) * share).exp().view(-1, 1, 1, 1)
    changed = ((images - mean) * contrast + MEDIAN).clamp(DARKEST, 1) * inside
    return _choose(u[:, 0] < 0.75, changed, images)


# The number of uniform numbers that an image needs, and what is done with them.
CLOTHES: Mapping[str, tuple[int, Callable[[Tensor, Tensor, float], Tensor]]] = {
    "arms": (3, _spread_arms),
    "legs": (1, _spread_legs),
    "beside": (5, _lay_beside),
    "outline": (6, _spoil_outline),
    "hook": (4, _hang),
    "fit": (0, _fit),
    "folds": (12, _fold),
    "levels": (2, _level),
}
