"""Nets written for other pictures: find out what a net takes, and show it 28x28 grey so."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SHAPES", "Adapter", "Wrapper", "adapted"]

SHAPES = ((1, 28), (1, 32), (3, 28), (3, 32), (3, 64), (1, 224), (3, 224))
"""Channels and sides that are tried, in this order: those of MNIST, CIFAR-10 and ImageNet."""


class Wrapper(nn.Module):
    """A net made for other pictures, and the side of those."""

    def __init__(self, net: nn.Module, side: int) -> None:
        super().__init__()
        self.net = net
        self.side = side


class Adapter(Wrapper):
    """Repeats the grey channel and enlarges the picture, then asks the net."""

    def __init__(self, net: nn.Module, channels: int, side: int) -> None:
        super().__init__(net, side)
        self.channels = channels

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, 28, 28) pixels -> (B, K) logits."""
        if images.shape[-1] != self.side:
            images = F.interpolate(
                images, size=(self.side, self.side), mode="bilinear", antialias=True
            )
        logits: Tensor = self.net(images.expand(-1, self.channels, -1, -1))
        return logits

    def extra_repr(self) -> str:
        return f"channels={self.channels}, side={self.side}"


def adapted(net: nn.Module) -> tuple[nn.Module, Tensor]:
    """The net as it is or behind an Adapter, whichever takes (2, 1, 28, 28), and its answer.

    Raises what the net itself raised at the picture as it is, if it takes none of SHAPES.
    """
    images = torch.linspace(0, 1, 2 * 28 * 28).view(2, 1, 28, 28)
    first: Exception | None = None
    for channels, side in SHAPES:
        # A copy, since a net may settle sizes at its first picture.
        candidate = copy.deepcopy(net)
        if (channels, side) != (1, 28):
            candidate = Adapter(candidate, channels, side)
        was_training = candidate.training
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                answer = candidate.eval()(images)
        except Exception as error:  # whatever a person's own code may raise
            first = first or error
            continue
        return candidate.train(was_training), answer
    assert first is not None
    raise first
