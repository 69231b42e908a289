"""A person's picture -> a 28x28 image of the data set's look."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["load_picture", "prepare"]

SIDE = 28


def load_picture(file: Any) -> "Image":
    """Read a picture from a path or a stream of bytes, upright, in RGB."""
    from PIL import Image, ImageOps

    return ImageOps.exif_transpose(Image.open(file)).convert("RGB")


def prepare(picture: "Image") -> NDArray[np.uint8]:
    """(28, 28) uint8: the picture's one item, light on black."""
    return np.asarray(picture.convert("L").resize((SIDE, SIDE)))
