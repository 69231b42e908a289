"""What whoever reads results on a person's own pictures must know of them, in sentences."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.names import printable
from fashionbench.core.shape import GREY28, Shape
from fashionbench.data.picture_reading import Squeezed
from fashionbench.data.resizing import is_oblong

__all__ = ["note_copies", "note_faintness", "note_passed_over", "note_reductions", "note_strays"]

FAINT = 32
"""Grey levels: an image that spans fewer shows hardly anything."""


def note_passed_over(files: Sequence[Path]) -> tuple[str, ...]:
    """Tell how many files are not pictures, by suffix; nothing where there are none."""
    if not files:
        return ()
    one = len(files) == 1
    they = "it is not a picture" if one else "they are not pictures"
    return (f"{_were(files, 'file')} because {they} that can be read: {count_by_suffix(files)}.",)


def note_strays(files: Sequence[Path]) -> tuple[str, ...]:
    """Tell how many pictures lie in no class's folder, by suffix."""
    if not files:
        return ()
    they = "it lies" if len(files) == 1 else "they lie"
    return (
        f"{_were(files, 'picture')} because {they} in no class's folder: {count_by_suffix(files)}.",
    )


def _were(files: Sequence[Path], what: str) -> str:
    if len(files) == 1:
        return f"1 {what} was passed over"
    return f"{len(files):,} {what}s were passed over"


def count_by_suffix(files: Iterable[Path]) -> str:
    """Count files by suffix, the most frequent first."""
    counts = Counter(printable(file.suffix.lower()) or "without a suffix" for file in files)
    return ", ".join(
        f"{count:,} {suffix}"
        for suffix, count in sorted(counts.items(), key=lambda of: (-of[1], of))
    )


def note_reductions(pictures: Sequence[Squeezed], shape: Shape = GREY28) -> tuple[str, ...]:
    """Tell whether pictures lost their colours or size, or were padded."""
    sizes, side = [picture.size for picture in pictures], shape.side
    coloured = sum(picture.is_coloured for picture in pictures) if shape.channels == 1 else 0
    resized = sum(size != (side, side) for size in sizes)
    oblong = sum(is_oblong(*size) for size in sizes)
    if not coloured + resized:
        return ()
    used = f"they are used as {shape}" + (
        ", padded with the color of their edge where they are not square." if oblong else "."
    )
    if len(set(sizes)) == 1 and coloured in (0, len(pictures)):
        (width, height), colour = sizes[0], "in color and " if coloured else ""
        return (f"{len(pictures):,} pictures were {colour}{width}x{height}: {used}",)
    in_order = sorted(sizes, key=lambda size: size[0] * size[1])
    smallest, largest = ("x".join(map(str, size)) for size in (in_order[0], in_order[-1]))
    facts = {
        "in color": coloured,
        f"not {side}x{side} ({smallest} to {largest})": resized,
        "not square": oblong,
    }
    finding = ", ".join(
        f"{n:,} {'is' if n == 1 else 'are'} {what}" for what, n in facts.items() if n
    )
    return (f"Of {len(pictures):,} pictures {finding}: {used}",)


def note_copies(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> tuple[str, ...]:
    """Tell how many test images are training images too, pixel by pixel."""
    known = {_digest(image) for image in train}
    copies = sum(_digest(image) in known for image in test)
    if not copies:
        return ()
    are = "is a copy" if copies == 1 else "are copies"
    finding = f"{copies:,} of {len(test):,} test images {are} of training images"
    return (f"{finding}, so test accuracies are too high; take copies out of one of the two.",)


def _digest(image: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def note_faintness(images: NDArray[np.uint8]) -> tuple[str, ...]:
    """Tell whether half of the images or more span only a few grey levels."""
    spans = 1 + np.ptp(images.reshape(len(images), -1), axis=1).astype(int)
    middle = int(np.median(spans))
    if middle >= FAINT:
        return ()
    levels = "1 grey level" if middle == 1 else f"{middle} grey levels"
    finding = f"Half of the training images span no more than {levels} of 256"
    return (f"{finding}, so models see hardly anything; stretch the pictures from black to white.",)
