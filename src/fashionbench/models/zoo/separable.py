"""Depthwise-separable convolutions: MobileNet, Howard et al. 2017, arXiv 1704.04861."""

from torch import Tensor, nn

__all__ = ["SeparableNet"]


class SeparableNet(nn.Module):
    """A convolution, then separable ones: each channel by itself, then across channels.

    Departure: seven layers that suit 28x28 images in place of thirteen for 224x224.
    """

    def __init__(self, width: int = 40, classes: int = 10, channels: int = 1) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            *_separable(width, width, 1),
            *_separable(width, 2 * width, 2),
            *_separable(2 * width, 2 * width, 1),
            *_separable(2 * width, 4 * width, 2),
            *_separable(4 * width, 4 * width, 1),
        )
        self.linear = nn.Linear(4 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        logits: Tensor = self.linear(self.features(images).mean(dim=(2, 3)))
        return logits


def _separable(channels: int, width: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
