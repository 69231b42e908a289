"""A Batch: the images and labels of a step."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Batch"]


@dataclass(frozen=True)
class Batch:
    """B images of one run, or of M runs one after another (then B is M times the batch size)."""

    images: Tensor
    """(B, C, H, W) float32, before whatever the model does to them."""
    labels: Tensor
    """(B,) int64."""
    partners: Tensor | None = None
    """(B,) int64 labels of the images that were mixed in; None where none are."""
    shares: Tensor | None = None
    """(B,) float32: how much of each mixed image is its own."""

    def tensors(self) -> list[Tensor]:
        """List those of its tensors that are there."""
        parts = (self.images, self.labels, self.partners, self.shares)
        return [part for part in parts if part is not None]

    def first(self, images: int) -> "Batch":
        """Return the batch cut off after so many images."""
        return Batch(*(part[:images] for part in self.tensors()))

    def chunk(self, count: int) -> Iterator["Batch"]:
        """Yield `count` batches of equal size, in order; `count` divides B."""
        for parts in zip(*(part.chunk(count) for part in self.tensors()), strict=True):
            yield Batch(*parts)

    def clone(self) -> "Batch":
        """Return a copy in memory of its own."""
        return Batch(*(part.clone() for part in self.tensors()))
