"""ConvMixer: Trockman and Kolter 2022, Patches are all you need?, arXiv 2201.09792."""

from torch import Tensor, nn

__all__ = ["ConvMixer"]


class ConvMixer(nn.Module):
    """Patches, then `depth` times: mix places within a channel, mix channels within a place."""

    def __init__(
        self,
        width: int = 64,
        depth: int = 6,
        kernel: int = 5,
        patch: int = 2,
        classes: int = 10,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.patches = _active(nn.Conv2d(channels, width, patch, stride=patch), width)
        self.mixers = nn.Sequential(*(_Mixer(width, kernel) for _ in range(depth)))
        self.linear = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        x = self.mixers(self.patches(images))
        logits: Tensor = self.linear(x.mean(dim=(2, 3)))
        return logits


class _Mixer(nn.Module):
    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.places = _active(nn.Conv2d(width, width, kernel, groups=width, padding="same"), width)
        self.channels = _active(nn.Conv2d(width, width, 1), width)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.channels(self.places(x) + x)
        return mixed


def _active(convolution: nn.Conv2d, width: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.GELU(), nn.BatchNorm2d(width))
