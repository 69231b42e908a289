"""Pictures and arrays of images -> the channels and the side that models are shown."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.shape import GREY28, Shape

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["fit_images", "is_oblong", "to_square"]


def to_square(picture: "Image", shape: Shape = GREY28) -> NDArray[np.uint8]:
    """Return the whole picture as (side, side) grey or (3, side, side) color.

    One that is not square is padded with the color of its edge, and so keeps its proportions.
    """
    from PIL.Image import Resampling

    picture = _padded(picture.convert("L" if shape.channels == 1 else "RGB"))
    small = np.array(picture.resize((shape.side, shape.side), Resampling.BILINEAR))
    return small if small.ndim == 2 else np.ascontiguousarray(np.moveaxis(small, -1, 0))


def is_oblong(width: int, height: int) -> bool:
    """Tell whether a picture is padded; where a side is a pixel longer, that is rounding."""
    return abs(width - height) > 1


def _padded(picture: "Image") -> "Image":
    from PIL import Image

    if not is_oblong(picture.width, picture.height):
        return picture
    pixels = np.asarray(picture)
    ends = (pixels[:, 0], pixels[:, -1]) if picture.height > picture.width else (pixels[[0, -1]],)
    edge = np.median(np.concatenate([end.reshape(-1, *pixels.shape[2:]) for end in ends]), axis=0)
    color = tuple(int(level) for level in np.atleast_1d(edge))
    side = max(picture.size)
    square = Image.new(picture.mode, (side, side), color if len(color) > 1 else color[0])
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return square


def fit_images(images: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    """Return (N, H, W) or (N, C, H, W) images in another shape; as they are if it is theirs."""
    if images.shape[-1] == images.shape[-2] and Shape.of(images) == shape:
        return images
    from PIL import Image

    fitted: Any = [
        to_square(Image.fromarray(each if each.ndim == 2 else np.moveaxis(each, 0, -1)), shape)
        for each in images
    ]
    return np.stack(fitted)
