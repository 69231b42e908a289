"""TinyVGG: the VGG idea (Simonyan and Zisserman 2014, arXiv 1409.1556) at its smallest."""

from torch import Tensor, nn

__all__ = ["FashionMNISTModelV2"]


class FashionMNISTModelV2(nn.Module):
    """Two blocks of two 3x3 convolutions and a pooling, then one linear layer.

    `input_shape` is the number of channels. Of images of 28x28, the side, 7x7 remain.
    """

    def __init__(
        self, input_shape: int, hidden_units: int, output_shape: int, side: int = 28
    ) -> None:
        super().__init__()
        self.block_1 = _block(input_shape, hidden_units)
        self.block_2 = _block(hidden_units, hidden_units)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(hidden_units * (side // 4) ** 2, output_shape),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        logits: Tensor = self.classifier(self.block_2(self.block_1(images)))
        return logits


def _block(channels: int, hidden_units: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, hidden_units, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(hidden_units, hidden_units, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
