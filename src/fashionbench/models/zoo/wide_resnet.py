"""Wide residual nets: Zagoruyko and Komodakis 2016, arXiv 1605.07146."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["WideResNet"]


class WideResNet(nn.Module):
    """6n + 4 layers, pre-activation, `widening` times as wide as a ResNet.

    Departure: stochastic depth (Huang et al. 2016, arXiv 1603.09382) in place of dropout. The last
    block is left out with the probability `stochastic_depth`, those before it less often.
    """

    def __init__(
        self,
        depth: int = 16,
        widening: int = 4,
        stochastic_depth: float = 0.0,
        channels: int = 1,
        classes: int = 10,
    ) -> None:
        super().__init__()
        if depth < 10 or depth % 6 != 4:
            raise ValueError(f"the depth is 6 n + 4, such as 16, 28 or 40, not {depth}")
        blocks = (depth - 4) // 6
        widths = [16 * widening, 32 * widening, 64 * widening]
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        drops = [stochastic_depth * (k + 1) / (3 * blocks) for k in range(3 * blocks)]
        layers, before = [], 16
        for k, drop in enumerate(drops):
            width, stride = widths[k // blocks], 2 if k in (blocks, 2 * blocks) else 1
            layers.append(_Block(before, width, stride, drop))
            before = width
        self.blocks = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(before)
        self.linear = nn.Linear(before, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        x = F.relu(self.norm(self.blocks(self.conv1(images))))
        logits: Tensor = self.linear(x.mean(dim=(2, 3)))
        return logits


class _Block(nn.Module):
    """Normalize, activate, convolve, twice; added to the way past it."""

    def __init__(self, channels: int, width: int, stride: int, drop: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = (
            nn.Identity()
            if channels == width and stride == 1
            else nn.Conv2d(channels, width, 1, stride=stride, bias=False)
        )
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.norm1(x))
        # Where the shape changes, the way past the block begins after its activation.
        past = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(active)
        y = self.conv2(F.relu(self.norm2(self.conv1(active))))
        if self.training and self.drop:
            kept = torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop
            y = y * kept / (1 - self.drop)
        total: Tensor = past + y
        return total
