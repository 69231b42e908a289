"""Models that see an image as numbers in a row, 784 of 28x28."""

from torch import Tensor, nn

__all__ = ["MLP", "FashionMnistModelV0", "FashionMnistModelV1", "Linear", "WideMLP"]


class FashionMnistModelV0(nn.Module):
    """Two linear layers; with nothing between them they are one linear map of low rank."""

    def __init__(self, input_shape: int, hidden_units: int, output_shape: int) -> None:
        super().__init__()
        self.layer_stack = nn.Sequential(
            nn.Flatten(),
            nn.Linear(input_shape, hidden_units),
            nn.Linear(hidden_units, output_shape),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        logits: Tensor = self.layer_stack(images)
        return logits


class FashionMnistModelV1(nn.Module):
    """An MLP with a ReLU after both layers.

    The second ReLU sits on the logits: one that is negative for all images of its
    own class outputs 0, gets no gradient from them and never comes back. How many
    classes are lost so is luck of the seed; see `MLP` for the cure.
    """

    def __init__(self, input_shape: int, hidden_units: int, output_shape: int) -> None:
        super().__init__()
        self.layer_stack = nn.Sequential(
            nn.Flatten(),
            nn.Linear(input_shape, hidden_units),
            nn.ReLU(),
            nn.Linear(hidden_units, output_shape),
            nn.ReLU(),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits, none below 0, of (B, C, H, W) pixels."""
        logits: Tensor = self.layer_stack(images)
        return logits


class MLP(nn.Module):
    """FashionMnistModelV1 without the ReLU on the logits."""

    def __init__(self, input_shape: int, hidden_units: int, output_shape: int) -> None:
        super().__init__()
        self.layer_stack = nn.Sequential(
            nn.Flatten(),
            nn.Linear(input_shape, hidden_units),
            nn.ReLU(),
            nn.Linear(hidden_units, output_shape),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        logits: Tensor = self.layer_stack(images)
        return logits


class Linear(nn.Module):
    """One linear layer: logistic regression over K classes."""

    def __init__(self, classes: int = 10, channels: int = 1, side: int = 28) -> None:
        super().__init__()
        self.linear = nn.Linear(channels * side**2, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        logits: Tensor = self.linear(images.flatten(1))
        return logits


class WideMLP(nn.Module):
    """Hidden layers with batch normalization (Ioffe and Szegedy 2015) and dropout."""

    def __init__(
        self,
        width: int = 1024,
        depth: int = 3,
        dropout: float = 0.25,
        classes: int = 10,
        channels: int = 1,
        side: int = 28,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        inputs = channels * side**2
        for _ in range(depth):
            layers += [
                nn.Linear(inputs, width, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(),
                nn.Dropout(dropout),
            ]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        logits: Tensor = self.layers(images)
        return logits
