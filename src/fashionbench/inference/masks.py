"""Where the item of a photo is: masks found in different ways, each of which errs elsewhere.

GrabCut (Rother, Kolmogorov and Blake 2004) separates an item from its ground by colour, starting
from a guess: what differs from the border, or the middle. A network marks what stands out, and
GrabCut starts from that, too. None is right always; a model is shown all of them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fashionbench.inference.salient import WEIGHTS, find_salient

__all__ = ["Found", "Located", "Mask", "find_item", "locate"]

Mask = NDArray[np.uint8]
"""(H, W), 1 on the item, 0 on the background."""

PLAIN = 16
"""Grey levels by which the colours of a photo differ at least, if it shows anything."""
SMALLEST, TINIEST = 0.25, 0.02
"""Shares of the largest thing on a photo, and of the photo, that make a thing count."""
CUT = 0.5
"""Share of the photo's sides, summed over four, from which what touches them is cut off."""
USUAL_SHARE = 0.35
"""The part of a photo that its item fills, typically."""


class Found(NamedTuple):
    """A mask, and by what it was found."""

    way: str
    mask: Mask
    rating: float
    """How plausible its outline is, 0 to 1."""


class Located(NamedTuple):
    """What is found on a photo."""

    masks: list[Found]
    """Of the item, in every way, GrabCut's first: at least one."""
    parts: list[Mask]
    """Things that lie apart, a mask each; none where there is but one."""
    is_cut: bool = False
    """Whether what stands out goes on beyond the photo, as what a person wears does."""


def locate(rgb: NDArray[np.uint8], larger: NDArray[np.uint8] | None = None) -> Located:
    """Find the item of an (H, W, 3) photo in every way, and whether it shows several.

    `larger` is the same photo with more pixels, for the network. Without its weights there is
    GrabCut's mask alone.
    """
    colours = _prepare_colours(rgb)
    whole = Found("whole", np.ones(colours.shape[:2], np.uint8), 0.0)
    if np.ptp(colours, axis=(0, 1)).max() < PLAIN:  # nothing stands out
        return Located([whole], [])
    guesses = [_refine(colours, guess) for guess in _guess_items(colours)]
    masks, parts = {"grabcut": max(guesses, key=lambda mask: _rate(mask, rgb))}, list[Mask]()
    is_cut = False
    if WEIGHTS.exists():
        marked = find_salient(rgb if larger is None else larger, rgb.shape[:2]) > 0.5
        masks["salient"] = _keep_main_part(marked.astype(np.uint8))
        masks["salient+grabcut"] = _refine(colours, marked)
        parts = _take_apart(marked.astype(np.uint8))
        is_cut = _measure_contact(masks["salient"]) > CUT
    found = [Found(way, mask, _rate(mask, rgb)) for way, mask in masks.items() if mask.any()]
    return Located(found or [whole], parts, is_cut)


def _measure_contact(mask: Mask) -> float:
    """Sum the shares of the photo's four sides that a mask touches."""
    sides = (mask[:3].T, mask[-3:].T, mask[:, :3], mask[:, -3:])
    return float(sum(side.any(axis=1).mean() for side in sides))


def find_item(rgb: NDArray[np.uint8]) -> Mask:
    """Find the item of an (H, W, 3) photo: the most plausible mask."""
    return max(locate(rgb).masks, key=lambda found: found.rating).mask


def _take_apart(mask: Mask) -> list[Mask]:
    """Return the pieces of a mask, from left to right, that are not small beside the largest."""
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    _, labels, facts, _ = cv2.connectedComponentsWithStats(
        cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc)
    )
    left, areas = facts[1:, cv2.CC_STAT_LEFT], facts[1:, cv2.CC_STAT_AREA]
    if not len(areas):
        return []
    counts = (areas >= SMALLEST * areas.max()) & (areas >= TINIEST * mask.size)
    pieces = [piece for piece in np.argsort(left, kind="stable") if counts[piece]]
    return [np.asarray(labels == piece + 1, np.uint8) for piece in pieces if len(pieces) > 1]


def _prepare_colours(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give smooth colours in which light counts less: shadows change it, not what an item is."""
    import cv2

    lab = cv2.cvtColor(cv2.bilateralFilter(rgb, 7, 30, 5), cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = (lab - (0, 128, 128)) * (0.7, 1.5, 1.5) + (0, 128, 128)
    return np.asarray(lab.clip(0, 255), np.uint8)


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
