"""LeNet-5: LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning, Proc. IEEE 86(11)."""

from torch import Tensor, nn

__all__ = ["LeNet5"]


class LeNet5(nn.Module):
    """Two convolutions of 5x5 with pooling, then three linear layers.

    Departures, as everywhere today: ReLU for tanh, max for trained average pooling, every map
    of the second layer sees every one of the first, and the last layer is linear.
    """

    def __init__(self, classes: int = 10, channels: int = 1, side: int = 28) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * ((side // 2 - 4) // 2) ** 2, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
