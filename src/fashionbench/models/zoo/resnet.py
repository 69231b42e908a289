"""Residual nets for small images: He, Zhang, Ren and Sun 2015, arXiv 1512.03385, section 4.2."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ResNet"]


class ResNet(nn.Module):
    """6n + 2 layers: a convolution, three stages of n blocks of two, and a linear layer.

    Shortcuts are the paper's option A, without parameters. The names of the weights are those
    that published CIFAR-10 weights use, so that these can be loaded; `mean` and `sd` are those
    of the pixels that such weights were trained on.
    """

    def __init__(
        self,
        blocks: int,
        width: int = 16,
        channels: int = 1,
        classes: int = 10,
        mean: float = 0,
        sd: float = 1,
    ) -> None:
        super().__init__()
        self.mean, self.sd = mean, sd
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(width, width, blocks, stride=1)
        self.layer2 = _stage(width, 2 * width, blocks, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, blocks, stride=2)
        self.linear = nn.Linear(4 * width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        if (self.mean, self.sd) != (0, 1):
            images = (images - self.mean) / self.sd
        x = F.relu(self.bn1(self.conv1(images)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.linear(x.mean(dim=(2, 3)))
        return logits


class _Block(nn.Module):
    """Two convolutions, added to what comes in."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride = stride
        self.more_channels = width - channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        # Option A: every stride-th place, and zeros on both sides for channels that are new.
        before = self.more_channels // 2
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = F.pad(shortcut, (0, 0, 0, 0, before, self.more_channels - before))
        return F.relu(y + shortcut)


def _stage(channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = _Block(channels, width, stride)
    return nn.Sequential(first, *(_Block(width, width, 1) for _ in range(blocks - 1)))
