"""Files in MNIST's IDX format, which its kin come in too: found by their names, and read."""

import gzip
import re
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fashionbench.data.picture_files import list_visible
from fashionbench.data.split import Arrays
from fashionbench.errors import DataError

__all__ = ["IDX_NAMES", "find_idx", "read_bytes", "read_idx", "read_idx_split"]

IDX_NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
KIND = {"images": 0, "labels": 1}

# EMNIST's are called emnist-letters-test-images-idx3-ubyte; many unpackers put a dot before idx.
_NAME = re.compile(
    r"(?P<set>.*?)(?P<split>train|t10k|test)-(?P<kind>images[-.]idx3|labels[-.]idx1)-ubyte(\.gz)?",
    re.IGNORECASE,
)


def find_idx(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Find the images and the labels of each split of the one data set in a folder, or nothing.

    Raises DataError where a file is missing, or where it is not clear which one is meant.
    """
    named = [(file, _NAME.fullmatch(file.name)) for file in list_visible(folder)]
    found = [(file, match) for file, match in named if match]
    sets = sorted({match["set"].lower() for _, match in found})
    if len(sets) > 1:
        raise DataError(
            f"{folder} holds the IDX files of {len(sets)} data sets ({', '.join(sets)}); put "
            "those of one into a folder of their own."
        )
    parts: dict[str, list[list[Path]]] = {split: [[], []] for split in IDX_NAMES}
    for file, match in found:
        split = "train" if match["split"].lower() == "train" else "test"
        parts[split][KIND[match["kind"][:6].lower()]].append(file)
    if not found:
        return {}
    absent = [
        sets[0] + name
        for split, names in IDX_NAMES.items()
        for name, files in zip(names, parts[split], strict=True)
        if not files
    ]
    if absent:
        raise DataError(f"{folder} lacks {', '.join(absent)} (or the same with .gz); bring them.")
    return {split: tuple(_one_of(files) for files in both) for split, both in parts.items()}


def _one_of(files: list[Path]) -> Path:
    """Take the first of several files that hold the same, as one unpacked beside its .gz."""
    first, *others = files
    for other in others:
        if _unpacked(first) != _unpacked(other):
            raise DataError(
                f"{first} and {other.name} hold different content; take away the one that is not "
                "meant."
            )
    return first


def read_bytes(file: Path) -> bytes:
    """Read a file. Raises DataError if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}).") from None


def _unpacked(file: Path) -> bytes:
    content = read_bytes(file)
    try:
        return gzip.decompress(content) if file.suffix.lower() == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} is no IDX file packed by gzip, or cut short ({error}).") from None


def read_idx_split(images_file: Path, labels_file: Path) -> Arrays:
    """Read images and their labels. Raises DataError unless they belong together."""
    images, labels = read_idx(images_file, 3), read_idx(labels_file, 1)
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} holds {len(images):,} images, {labels_file.name} {len(labels):,} "
            "labels; they do not belong together."
        )
    return images, labels


def read_idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read MNIST's format: 0, 0, 8 for bytes, number of dimensions, these in 4 bytes each, values.

    The format is described at yann.lecun.com/exdb/mnist. Raises DataError for anything else.
    """
    try:
        content = _unpacked(file)
        magic, *shape = struct.unpack_from(f">{1 + dimensions}I", content)
        values = np.frombuffer(content, np.uint8, offset=4 * (1 + dimensions))
        if magic != 0x0800 + dimensions:
            raise ValueError(f"it does not start with {0x0800 + dimensions} but with {magic}")
        return values.reshape(shape)
    except (ValueError, struct.error) as error:
        raise DataError(
            f"{file} is no IDX file of bytes in {dimensions} dimensions, or cut short ({error})."
        ) from None
