"""U2-Net-p: a network that marks what stands out on a photo, whatever it is.

Qin et al. 2020, arXiv 2005.09007: nested U-shapes, 1.1 million parameters, trained on the 10,553
pictures of DUTS-TR. The weights are the authors'; beside them lies where they come from and their
licence. Batch normalization is part of the convolutions, for nothing is trained here.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["WEIGHTS", "U2NetP", "find_salient"]

WEIGHTS = Path(__file__).parent / "photo" / "u2netp.safetensors"
"""Its weights, in float16."""
SIDE = 224
"""Pixels a side of what the network is given: trained at 320, it is as good and twice as fast."""
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels, by channel: what the network was trained with."""
INNER, OUTER = 16, 64
"""Channels within a U-shape, and between them."""


class _Convolution(nn.Conv2d):
    """3x3, padded, then ReLU."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__(inputs, outputs, 3, padding=dilation, dilation=dilation)

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features).relu_()


class _UShape(nn.Module):
    """A small U-Net with a residual connection: down by pooling, or by dilation alone."""

    def __init__(self, inputs: int, depth: int, dilated: bool = False) -> None:
        super().__init__()
        self.dilated = dilated
        ways = [2**i for i in range(depth)] if dilated else [*[1] * (depth - 1), 2]
        self.first = _Convolution(inputs, OUTER)
        self.down = nn.ModuleList(
            _Convolution(INNER if i else OUTER, INNER, way) for i, way in enumerate(ways)
        )
        self.up = nn.ModuleList(
            _Convolution(2 * INNER, INNER if i else OUTER, way if dilated else 1)
            for i, way in reversed(list(enumerate(ways[:-1])))
        )

    def forward(self, features: Tensor) -> Tensor:
        features = self.first(features)
        residual = features
        levels = list[Tensor]()
        for i, convolution in enumerate(self.down):
            if 0 < i < len(self.down) - 1 and not self.dilated:
                features = _halve(features)
            features = convolution(features)
            levels.append(features)
        features = levels.pop()
        for convolution in self.up:
            level = levels.pop()
            features = convolution(torch.cat([_enlarge(features, level), level], dim=1))
        summed: Tensor = features + residual
        return summed


class U2NetP(nn.Module):
    """A U of U-shapes; each level of it gives a map, and the maps are weighed into one."""

    def __init__(self) -> None:
        super().__init__()
        shapes = [(7, False), (6, False), (5, False), (4, False), (4, True)]
        self.down = nn.ModuleList(
            _UShape(OUTER if i else 3, *shape) for i, shape in enumerate([*shapes, (4, True)])
        )
        self.up = nn.ModuleList(_UShape(2 * OUTER, *shape) for shape in reversed(shapes))
        self.maps = nn.ModuleList(nn.Conv2d(OUTER, 1, 3, padding=1) for _ in range(6))
        self.weigh = nn.Conv2d(6, 1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Compute (B, 1, H, W) shares in which pixels of (B, 3, H, W) normalized RGB stand out."""
        features, levels = pictures, list[Tensor]()
        for i, shape in enumerate(self.down):
            features = shape(_halve(features) if i else features)
            levels.append(features)
        features = levels.pop()
        found = [features]
        for shape in self.up:
            level = levels.pop()
            features = shape(torch.cat([_enlarge(features, level), level], dim=1))
            found.append(features)
        return self._weigh(found[::-1])

    def _weigh(self, features: Sequence[Tensor]) -> Tensor:
        maps = [to_map(feature) for to_map, feature in zip(self.maps, features, strict=True)]
        fused: Tensor = self.weigh(torch.cat([_enlarge(m, maps[0]) for m in maps], dim=1))
        return fused.sigmoid()


def _halve(features: Tensor) -> Tensor:
    return F.max_pool2d(features, 2, ceil_mode=True)


def _enlarge(features: Tensor, like: Tensor) -> Tensor:
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return F.interpolate(features, like.shape[-2:], mode="bilinear", align_corners=False)


@cache
def _load_network() -> U2NetP:
    from safetensors.torch import load_file

    network = U2NetP()
    network.load_state_dict({name: w.float() for name, w in load_file(WEIGHTS).items()})
    # Half of the time of the usual layout.
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def find_salient(rgb: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Find how much what stands out covers a pixel, 0 to 1, in `shape` rows and columns.

    Its colours are an (H, W, 3) picture.
    """
    import cv2

    square = cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    pixels = (square.astype(np.float32) / max(int(square.max()), 1) - MEAN) / SD
    images = torch.from_numpy(pixels.astype(np.float32)[None]).movedim(-1, 1)
    with torch.inference_mode():
        found = _load_network()(images)[0, 0].numpy()
    found = (found - found.min()) / max(float(np.ptp(found)), 1e-9)
    return np.asarray(cv2.resize(found, shape[1::-1]), np.float32)
