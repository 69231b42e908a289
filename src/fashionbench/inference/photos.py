"""Your picture -> a 28x28 image that looks like the data set's: one item, light on black.

Fashion-MNIST was made from shop photos on white (Xiao, Rasul and Vollgraf 2017,
arXiv 1708.07747): trimmed, the longer side resized to 28, centered by its box, inverted,
converted to grey. A picture on plain black or white is processed in the same way. In any other
the item is located first, in several ways (`masks`).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.shape import GREY28, Shape
from fashionbench.data.picture_reading import SIDE
from fashionbench.data.resizing import to_square
from fashionbench.errors import DataError
from fashionbench.inference.masks import Mask, locate

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Part", "Prepared", "prepare", "squeeze"]

Grey = NDArray[np.uint8]
"""(H, W)."""

WORKING = 160
"""Pixels of the longer side at which the item is located."""
LARGER = 224
"""Those that the network is given, which was trained on larger pictures."""
PLAIN = 16
"""Grey levels: how far a plain background may be from pure black or white, and from itself."""
LEVEL = 170
"""The median grey level of an item; that of the data set's items is 160 to 185 by class."""
DARKEST = 20
"""No item is darker than this, so that it stays apart from the background."""
NARROW = 0.75
"""Width over height of an item hung or worn, in units of those of one laid flat, arms apart."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture as models see it."""

    views: NDArray[np.uint8]
    """(V, 28, 28): the item; of a photo, for each mask, also narrower, as if it hung, and both
    mirrored. Pictures of one's own data set are (1, H, W), or (1, 3, H, W) in color."""
    is_photo: bool
    """Whether the item had to be located on a background that is not plain."""
    masks: tuple[str, ...] = ()
    """Of a photo: the ways in which the item was found, for an equal number of views each."""
    taken: int = 0
    """Which of them has the most plausible outline: the one that is shown."""
    is_cut: bool = False
    """Of a photo: whether the item goes on beyond it."""
    parts: tuple["Part", ...] = ()
    """Of a photo with several things apart: each of them."""

    @property
    def image(self) -> Grey:
        """(28, 28): the first view of the mask that is taken."""
        return np.asarray(self.views[self.taken * (len(self.views) // max(len(self.masks), 1))])

    def by_mask(self) -> list[Self]:
        """Take the views apart by their masks; a picture on plain ground has but one."""
        if len(self.masks) < 2:
            return [self]
        parts = np.split(self.views, len(self.masks))
        return [
            replace(self, views=views, masks=(mask,), taken=0, parts=())
            for mask, views in zip(self.masks, parts, strict=True)
        ]


class Part(NamedTuple):
    """One of several things on a photo."""

    box: tuple[float, float, float, float]
    """Its left, top, right and bottom, in shares of the photo's width and height."""
    prepared: Prepared


def squeeze(picture: "Image", shape: Shape = GREY28) -> Prepared:
    """Return the whole picture in a square, as pictures of your own data set are read."""
    return Prepared(to_square(picture, shape)[None], is_photo=False)


def prepare(picture: "Image") -> Prepared:
    """Return the picture's one item, light on black, as large as the image allows.

    Raises DataError for a picture of one colour.
    """
    rgb = np.asarray(picture.convert("RGB"))
    if np.ptp(rgb, axis=(0, 1)).max() < PLAIN:
        raise DataError("There is nothing on the picture; give one that shows an item.")
    grey = _remove_frame(np.asarray(picture.convert("L")))
    background = _find_background(grey)
    if background is not None and _is_plain(background):
        return Prepared(_trim(grey if background < 128 else 255 - grey)[None], is_photo=False)
    small = _resize(rgb, WORKING)
    found, parts, is_cut = locate(small, _resize(rgb, LARGER))
    return Prepared(
        np.concatenate([_view(small, mask) for _, mask, _ in found]),
        is_photo=True,
        masks=tuple(way for way, _, _ in found),
        taken=int(np.argmax([rating for _, _, rating in found])),
        is_cut=is_cut,
        parts=tuple(_take_part(small, mask) for mask in parts),
    )


# Pictures on plain black or white.


def _find_background(grey: Grey) -> int | None:
    """Return the grey level that three corners share; None if they differ."""
    side = max(1, min(grey.shape) // 14)
    ends = (slice(None, side), slice(-side, None))
    squares = [grey[rows, columns].ravel() for rows in ends for columns in ends]
    corners: list[int] = sorted(np.median(squares, axis=1).astype(int).tolist())
    for three in (corners[:3], corners[1:]):  # an item may lie in one
        if three[2] - three[0] <= PLAIN:
            return three[1]
    return None


def _is_plain(background: int | None) -> bool:
    return background is not None and not PLAIN < background < 255 - PLAIN


def _remove_frame(grey: Grey) -> Grey:
    """Return what is inside a frame of one colour, if that is on plain black or white."""
    outside = _find_background(grey)
    if outside is None:
        return grey
    inner = grey[_find_box(np.abs(grey.astype(np.int16) - outside) > 3 * PLAIN)]
    inside = _find_background(inner)
    if inside is None or not _is_plain(inside) or abs(inside - outside) <= 3 * PLAIN:
        return grey
    edge = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]]).astype(np.int16)
    framed = min(inner.shape) >= SIDE // 2 and np.mean(np.abs(edge - inside) <= PLAIN) > 0.5
    return inner if framed else grey


def _trim(grey: Grey) -> Grey:
    """Cut a picture that is light on black to its item, unless the item spans it."""
    item = grey > PLAIN
    rows, columns = box = _find_box(item)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if grey.shape[0] == grey.shape[1] and max(height, width) >= 0.9 * len(grey):
        return _center(grey, np.ones_like(grey))
    return _center(grey[box], np.ones_like(grey[box]))


# Photos.


def _view(rgb: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """Show what a mask covers in four ways: (4, 28, 28)."""
    grey = _normalize_levels(rgb, mask)
    flat_and_hung = np.stack([_center(grey, mask), _center(grey, mask, NARROW)])
    return np.concatenate([flat_and_hung, flat_and_hung[..., ::-1]])


def _take_part(rgb: NDArray[np.uint8], mask: Mask) -> Part:
    (height, width), (rows, columns) = mask.shape, _find_box(mask > 0)
    box = (columns.start / width, rows.start / height, columns.stop / width, rows.stop / height)
    return Part(box, Prepared(_view(rgb, mask), is_photo=True, masks=("salient",)))


def _normalize_levels(rgb: NDArray[np.uint8], mask: Mask) -> Grey:
    """Invert the grey levels, as in the data set, and shift the item's median to LEVEL."""
    import cv2

    negated = 255 - cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    shifted = negated - np.median(negated[mask > 0]) + LEVEL
    return np.asarray(shifted.clip(DARKEST, 255) * mask, np.uint8)


# For both.


def _find_box(item: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns that hold something; all of them if nothing does."""
    rows, columns = (np.flatnonzero(item.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0, item.shape[0]), slice(0, item.shape[1])
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _resize(
    pixels: NDArray[np.uint8], longer: int, shortest: int = 16, narrower: float = 1
) -> NDArray[np.uint8]:
    """Scale to `longer` pixels on the longer side, averaging where that makes it smaller.

    The width is multiplied by `narrower` before.
    """
    import cv2

    height, width = pixels.shape[0], pixels.shape[1] * narrower
    scale = longer / max(height, width)
    size = (max(shortest, round(width * scale)), max(shortest, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


def _center(grey: Grey, mask: Mask, narrower: float = 1) -> Grey:
    """Scale the item's box so that its longer side is 28, and centre it on black."""
    item = _resize((grey * mask)[_find_box(mask > 0)], SIDE, 1, narrower)
    height, width = item.shape
    image = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    image[top : top + height, left : left + width] = item
    return image
