"""A net made for speed, after airbench: Jordan 2024, arXiv 2404.00498."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SpeedNet"]


class SpeedNet(nn.Module):
    """A fixed whitening layer, then three blocks of two convolutions that pool early.

    Departures: airbench takes its whitening filters from the training images. The principal
    components of small patches of natural images are nearly the cosine waves of the discrete
    cosine transform, and their variance falls with the square of the frequency; so these
    filters are those waves, scaled by frequency, and need no images. Three blocks for 28x28.
    """

    filters: Tensor

    def __init__(self, width: int = 32, classes: int = 10, channels: int = 1) -> None:
        super().__init__()
        self.register_buffer("filters", _whitening_filters(3).repeat(channels, 1, 1, 1))
        self.channels = channels
        self.block1 = _Block(channels * 2 * 9, width)
        self.block2 = _Block(width, 3 * width)
        self.block3 = _Block(3 * width, 3 * width)
        self.linear = nn.Linear(3 * width, classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        # Each channel by itself: the waves are those of places, not of colors.
        x = F.gelu(F.conv2d(images, self.filters, padding=1, groups=self.channels))
        x = self.block3(self.block2(self.block1(x)))
        logits: Tensor = self.linear(x.amax(dim=(2, 3))) / 9
        return logits


class _Block(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


def _whitening_filters(side: int) -> Tensor:
    """(2 side^2, 1, side, side): each cosine wave and its negative, of standard deviation 1."""
    places = torch.arange(side, dtype=torch.float64) + 0.5
    waves = torch.stack([torch.cos(math.pi * k * places / side) for k in range(side)])
    waves /= waves.norm(dim=1, keepdim=True)
    filters = torch.einsum("ah,bw->abhw", waves, waves).flatten(0, 1)
    frequencies = torch.arange(side).square()
    squares = (frequencies[:, None] + frequencies[None, :]).flatten()
    filters *= (squares + 0.5).sqrt()[:, None, None]
    return torch.cat([filters, -filters]).unsqueeze(1).float()
