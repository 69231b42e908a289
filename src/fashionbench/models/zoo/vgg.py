"""VGG with batch normalization: Simonyan and Zisserman 2014, arXiv 1409.1556."""

from torch import Tensor, nn

__all__ = ["VGG"]


class VGG(nn.Module):
    """Three blocks of two 3x3 convolutions, `width`, 2 and 3 times `width` channels wide.

    Departures: batch normalization (Ioffe and Szegedy 2015), two pixels of max-pooling between
    blocks and the mean over all places at the end, with one linear layer in place of three.
    """

    def __init__(
        self, width: int = 32, dropout: float = 0.0, classes: int = 10, channels: int = 1
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(channels, width),
            nn.MaxPool2d(2),
            *_block(width, 2 * width),
            nn.MaxPool2d(2),
            *_block(2 * width, 3 * width),
        )
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(3 * width, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _block(channels: int, width: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
