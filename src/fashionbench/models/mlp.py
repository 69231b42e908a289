"""Models that see an image as 784 numbers in a row."""

from torch import Tensor, nn

__all__ = ["MLP", "FashionMnistModelV0", "FashionMnistModelV1"]


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
        """(B, C, H, W) pixels -> (B, K) logits."""
        logits: Tensor = self.layer_stack(images)
        return logits


class FashionMnistModelV1(nn.Module):
    """An MLP with a ReLU after both layers.

    The second ReLU sits on the logits: a class whose pre-activation is negative
    for nearly all images outputs 0, gets no gradient and is never predicted
    again. How many classes die so is luck of the seed; see `MLP` for the cure.
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
        """(B, C, H, W) pixels -> (B, K) logits, none below 0."""
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
        """(B, C, H, W) pixels -> (B, K) logits."""
        logits: Tensor = self.layer_stack(images)
        return logits
