"""Your picture -> a 28x28 image that looks like the data set's: one item, light on black.

Fashion-MNIST was made from shop photos on white (Xiao, Rasul and Vollgraf 2017,
arXiv 1708.07747): trimmed, the longer side resized to 28, centered by its box, inverted,
converted to grey. A picture on plain black or white is processed in the same way. In any other
the item is located first, by GrabCut (Rother, Kolmogorov and Blake 2004).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.shape import GREY28, Shape
from fashionbench.data.picture_reading import SIDE
from fashionbench.data.resizing import to_square
from fashionbench.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Prepared", "find_item", "prepare", "squeeze"]

Grey = NDArray[np.uint8]
"""(H, W)."""
Mask = NDArray[np.uint8]
"""(H, W), 1 on the item, 0 on the background."""

WORKING = 160
"""Pixels of the longer side at which the item is located."""
PLAIN = 16
"""Grey levels: how far a plain background may be from pure black or white, and from itself."""
LEVEL = 170
"""The median grey level of an item; that of the data set's items is 160 to 185 by class."""
DARKEST = 20
"""No item is darker than this, so that it stays apart from the background."""
USUAL_SHARE = 0.35
"""The part of a photo that its item fills, typically."""
NARROW = 0.75
"""Width over height of an item hung or worn, in units of those of one laid flat, arms apart."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture as models see it."""

    views: NDArray[np.uint8]
    """(V, 28, 28): the item; of a photo also narrower, as if it hung, and both mirrored. Pictures
    of one's own data set are (1, H, W), or (1, 3, H, W) in color."""
    is_photo: bool
    """Whether the item had to be located on a background that is not plain."""

    @property
    def image(self) -> Grey:
        """(28, 28): the first view, which is shown."""
        return np.asarray(self.views[0])


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
    rgb = _resize(rgb, WORKING)
    mask = find_item(rgb)
    grey = _normalize_levels(rgb, mask)
    flat_and_hung = np.stack([_center(grey, mask), _center(grey, mask, NARROW)])
    return Prepared(np.concatenate([flat_and_hung, flat_and_hung[..., ::-1]]), is_photo=True)


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


def find_item(rgb: NDArray[np.uint8]) -> Mask:
    """Locate the item of an (H, W, 3) photo: the better of two guesses, refined by GrabCut.

    One guess is what differs in colour from the photo's border, the other the middle of
    the photo: the first fails where the border shows the item, the second between legs.
    """
    import cv2

    # Colour tells an item from its ground better than lightness, which shadows change.
    lab = cv2.cvtColor(cv2.bilateralFilter(rgb, 7, 30, 5), cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = (lab - (0, 128, 128)) * (0.7, 1.5, 1.5) + (0, 128, 128)
    colours = lab.clip(0, 255).astype(np.uint8)
    if np.ptp(colours, axis=(0, 1)).max() < PLAIN:  # nothing stands out
        return np.ones(colours.shape[:2], np.uint8)
    masks = [_refine(colours, guess) for guess in _guess_items(colours)]
    mask = max(masks, key=lambda mask: _rate(mask, rgb))
    return mask if mask.any() else np.ones_like(mask)


def _guess_items(colours: NDArray[np.uint8]) -> Iterator[NDArray[np.bool_]]:
    """Yield (H, W) guesses: what differs in colour from the border, then the middle."""
    import cv2

    y, x = (np.linspace(-0.5, 0.5, size) for size in colours.shape[:2])
    border = colours[_mark_border(colours.shape[:2], 0.06)].astype(np.float32)
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    none: Any = None
    _, labels, centres = cv2.kmeans(border, 6, none, stop, 1, cv2.KMEANS_PP_CENTERS)
    labels = labels.ravel()
    common = centres[np.bincount(labels, minlength=6) >= 0.04 * len(border)]
    distance = np.linalg.norm(colours[:, :, None] - common, axis=3).min(axis=2)
    distance *= np.exp(-(y[:, None] ** 2 + x**2) / (2 * 0.35**2))
    scaled = (distance * (255 / max(distance.max(), 1e-9))).astype(np.uint8)
    threshold, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    yield scaled > threshold
    yield (y[:, None] / 0.4) ** 2 + (x / 0.375) ** 2 < 1


def _mark_border(shape: tuple[int, ...], share: float) -> NDArray[np.bool_]:
    """Mark the pixels near an edge, in a band as wide as this share of the shorter side."""
    width = max(1, round(share * min(shape)))
    border = np.ones(shape, dtype=bool)
    border[width:-width, width:-width] = False
    return border


def _refine(colours: NDArray[np.uint8], guess: NDArray[np.bool_]) -> Mask:
    """Refine a guess by GrabCut; an outer band of the photo is background in any case."""
    import cv2

    mask = np.where(guess, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[_mark_border(guess.shape, 0.015)] = cv2.GC_BGD
    if not (mask == cv2.GC_PR_FGD).any():
        return np.zeros_like(mask)
    cv2.setRNGSeed(0)
    background, item = np.zeros((1, 65)), np.zeros((1, 65))
    nowhere = (0, 0, 0, 0)
    cv2.grabCut(colours, mask, nowhere, background, item, 4, cv2.GC_INIT_WITH_MASK)
    return _keep_main_part(((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8))


def _keep_main_part(mask: Mask) -> Mask:
    """Keep the largest piece, weighted towards the middle, and others of its size: shoes."""
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc).astype(np.uint8)
    y, x = (np.linspace(-0.5, 0.5, size) for size in mask.shape)
    middle = np.exp(-(y[:, None] ** 2 + x**2) / (2 * 0.35**2))
    _, labels = cv2.connectedComponents(mask)
    weights = np.bincount(labels.ravel(), middle.ravel())[1:]
    if not len(weights):
        return mask
    kept = np.flatnonzero(weights >= 0.25 * weights.max()) + 1
    mask = np.isin(labels, kept).astype(np.uint8)
    _, labels = cv2.connectedComponents(1 - mask, connectivity=4)
    sizes = np.bincount(labels.ravel())
    outer = np.unique(labels[_mark_border(mask.shape, 0)])
    holes = [i for i in np.flatnonzero(sizes < 0.05 * mask.sum()) if i not in outer]
    return np.asarray(mask | np.isin(labels, holes), np.uint8)


def _rate(mask: Mask, rgb: NDArray[np.uint8]) -> float:
    """Rate a mask: high for an outline on strong edges, of a usual size, away from the border."""
    import cv2

    share = float(mask.mean())
    if not 0.01 < share < 0.95:
        return 0.0
    blurred = cv2.GaussianBlur(rgb, (0, 0), 1).astype(np.float32) / 255
    lab = cv2.cvtColor(blurred, cv2.COLOR_RGB2LAB)
    gradient = np.hypot(cv2.Sobel(lab, -1, 1, 0), cv2.Sobel(lab, -1, 0, 1))
    square = np.ones((3, 3), np.uint8)
    outline = cv2.dilate(mask, square) != cv2.erode(mask, square)
    strength = float(np.linalg.norm(gradient[outline], axis=1).mean()) / 2
    size = np.exp(-(np.log(share / USUAL_SHARE) ** 2) / (2 * 0.8**2))
    inside = mask[3:-3, 3:-3]
    edge = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]]).mean()
    return float(strength / (strength + 15) * size * (1 - edge))


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
