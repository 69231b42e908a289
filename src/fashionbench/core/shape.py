"""The shape of a data set's images: channels and side. That of Fashion-MNIST is grey, 28x28.

For which shape a network was built is remembered here, for all code that shows it images.
"""

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

__all__ = ["GREY28", "Shape", "remember_shape", "shape_of"]


class Shape(NamedTuple):
    """Channels, 1 for grey and 3 for red, green and blue, and pixels a side."""

    channels: int = 1
    side: int = 28

    @classmethod
    def of(cls, images: Any) -> "Shape":
        """Return the shape of (N, H, W) grey or (N, C, H, W) images."""
        return cls(1 if images.ndim == 3 else images.shape[1], images.shape[-1])

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Channels, height and width, as a batch of pixels has them."""
        return self.channels, self.side, self.side

    def __str__(self) -> str:
        return f"{self.side}x{self.side} in {'color' if self.channels > 1 else 'grey'}"


GREY28 = Shape()
"""The shape of Fashion-MNIST's images."""

_built_for: WeakKeyDictionary[Any, Shape] = WeakKeyDictionary()


def remember_shape(model: Any, shape: Shape) -> None:
    """Remember the shape of the images that a network was built for."""
    if shape != GREY28:
        _built_for[model] = shape


def shape_of(model: Any) -> Shape:
    """Return the shape of the images that a network was built for."""
    return _built_for.get(model, GREY28)
