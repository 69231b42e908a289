"""Nets written for other pictures: find out what a net takes, and show it the data set's so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionbench.core.global_state import preserved
from fashionbench.core.shape import GREY28, Shape, shape_of

__all__ = ["SHAPES", "Adapter", "Interface", "Wrapper", "find_interface", "first_answer"]

SHAPES = ((1, 28), (1, 32), (3, 28), (3, 32), (3, 64), (1, 224), (3, 224))
"""Channels and sides that are tried after those of the data set, in this order: those of MNIST,
CIFAR-10 and ImageNet."""
LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue are (ITU-R 601-2)."""


class Wrapper(nn.Module):
    """A net made for other pictures, and the side of those."""

    def __init__(self, net: nn.Module, side: int) -> None:
        super().__init__()
        self.net = net
        self.side = side


class Adapter(Wrapper):
    """Fits channels and size of the pictures, asks the net, and takes its first answer."""

    def __init__(
        self, net: nn.Module, channels: int, side: int, answers_several: bool = False
    ) -> None:
        super().__init__(net, side)
        self.channels = channels
        self.answers_several = answers_several

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        logits: Tensor = first_answer(self.net(_shown(images, self.channels, self.side)))
        return logits

    def extra_repr(self) -> str:
        return f"channels={self.channels}, side={self.side}"


@dataclass(frozen=True)
class Interface:
    """What a net takes and answers."""

    channels: int = 1
    side: int = 28
    answers_several: bool = False
    """Whether it answers with more than one tensor, in training or always; the first is taken."""

    @classmethod
    def of(cls, model: nn.Module) -> "Interface":
        """Tell what a model was found to take, by the adapter it is behind."""
        if isinstance(model, Adapter):
            return cls(model.channels, model.side, model.answers_several)
        return cls(*shape_of(model))

    def adapt(self, net: nn.Module, shape: Shape = GREY28) -> nn.Module:
        """Return the net as it is, or behind an Adapter that takes images of a shape."""
        if self == Interface(*shape):
            return net
        return Adapter(net, self.channels, self.side, self.answers_several)


def first_answer(answer: Any) -> Any:
    """Return the logits among several answers: those called so, or the first tensor."""
    if isinstance(answer, Mapping):
        answer = [answer["logits"]] if "logits" in answer else list(answer.values())
    if isinstance(answer, list | tuple):
        tensors = [part for part in answer if isinstance(part, Tensor)]
        return tensors[0] if tensors else answer
    return answer


def find_interface(anew: Callable[[], nn.Module], images: Tensor) -> tuple[Interface, Any]:
    """Find the first shape that a net takes (B, C, H, W) `images` in, and its answer then.

    First as they are, then in those of SHAPES with as many channels, then in the others. Nets that
    `anew` builds are asked, and thrown away: they may settle sizes or statistics at their first
    picture. Raises what was raised at the images as they are, if they take none.
    """
    first: Exception | None = None
    as_they_are = Shape.of(images)
    others = sorted(SHAPES, key=lambda shape: shape[0] != as_they_are.channels)
    for channels, side in dict.fromkeys([as_they_are, *others]):
        other, shown = anew(), _shown(images, channels, side)
        try:
            with preserved(), torch.no_grad():
                other.eval()
                answer = other(shown)
        except Exception as error:  # whatever a person's own code may raise
            first = first or error
            continue
        several = not all(isinstance(part, Tensor) for part in (answer, _in_training(other, shown)))
        return Interface(channels, side, several), first_answer(answer)
    assert first is not None
    raise first


def _in_training(net: nn.Module, images: Tensor) -> Any:
    """Ask a net in training mode; give the images if that fails, as training itself will tell."""
    try:
        with preserved(), torch.no_grad():
            net.train()
            return net(images)
    except Exception:  # as before
        return images


def _shown(images: Tensor, channels: int, side: int) -> Tensor:
    """Bring (B, C, H, W) images to a side, and to channels: grey repeated, colors made grey."""
    if images.shape[-1] != side:
        images = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
    if images.shape[1] == channels:
        return images
    if channels == 1:
        luma = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
        return (images * luma.view(1, -1, 1, 1)).sum(dim=1, keepdim=True)
    # Memory of their own, for a net may change what it is given.
    return images.repeat(1, channels, 1, 1)
