"""A person's own data set: a folder with IDX files, or with a folder of pictures for each class.

Three layouts are known: the four files of MNIST's kind, plain or .gz; train/CLASS/picture and
test/CLASS/picture; CLASS/picture alone, of which a fifth of each class becomes the test set,
chosen by a hash of the file's name, so that it is the same on every machine.
"""

import gzip
import hashlib
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fashionbench.errors import DataError
from fashionbench.prepare import load_picture, squeeze

__all__ = ["Folder", "is_path", "open_folder"]

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""(N, 28, 28) images and (N,) labels."""

SIDE = 28
MOST_CLASSES = 256  # labels are bytes
IDX = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
TEST_SHARE = 5
"""One picture in so many is a test image where a folder does not say which are."""

_LAYOUTS = (
    "train/CLASS/*.png with test/CLASS/*.png, CLASS/*.png alone, or the four IDX files "
    f"({', '.join(name for pair in IDX.values() for name in pair)}, plain or .gz)"
)


@dataclass(frozen=True)
class Folder:
    """What a folder holds: the files of each split, with their labels where these are pictures."""

    path: Path
    classes: tuple[str, ...]
    files: dict[str, tuple[Path, ...]]
    """Of each split: images and labels in IDX, or pictures."""
    labels: dict[str, tuple[int, ...]]
    """Of the pictures of each split; empty for IDX files, which hold their own."""
    divided: bool
    """Whether the test images were set apart here."""

    @property
    def title(self) -> str:
        """What tables and plots call it."""
        name = self.path.resolve().name
        return f"{name} (a fifth of each class set apart as test images)" if self.divided else name

    def digest(self) -> str:
        """Of the names and contents of all its files: what tells a changed data set from before."""
        sums = hashlib.sha256()
        for split, files in self.files.items():
            for file in files:
                content = hashlib.sha256(_bytes(file)).hexdigest()
                sums.update(f"{split}/{file.relative_to(self.path).as_posix()}\0{content}".encode())
        return sums.hexdigest()[:16]

    def read(self, splits: Sequence[str]) -> list[Arrays]:
        """The arrays of the named splits. Raises DataError, naming the file that is not right."""
        return [self._read_split(split) for split in splits]

    def _read_split(self, split: str) -> Arrays:
        if not self.labels:
            return _read_idx_split(*self.files[split])
        images = np.stack([_read_picture(file) for file in self.files[split]])
        return images, np.array(self.labels[split], np.uint8)


def is_path(name: str) -> bool:
    """Whether a data set's name is that of a folder."""
    return "/" in name or os.sep in name or Path(name).expanduser().is_dir()


def open_folder(name: str) -> Folder:
    """Find out what a folder holds. Raises DataError if that is no data set."""
    path = Path(name).expanduser()
    if not path.is_dir():
        raise DataError(f"There is no folder {name}; give one that holds {_LAYOUTS}.")
    if any(_idx_file(path, file) for pair in IDX.values() for file in pair):
        return _open_idx(path)
    if (path / "train").is_dir() or (path / "test").is_dir():
        return _open_splits(path)
    return _open_pictures(path)


def _idx_file(path: Path, name: str) -> Path | None:
    found = [file for file in (path / name, path / f"{name}.gz") if file.is_file()]
    return found[0] if found else None


def _open_idx(path: Path) -> Folder:
    found = {split: [_idx_file(path, name) for name in pair] for split, pair in IDX.items()}
    absent = [
        name
        for split, pair in IDX.items()
        for name, file in zip(pair, found[split], strict=True)
        if file is None
    ]
    if absent:
        raise DataError(f"{path} lacks {', '.join(absent)} (or the same with .gz); bring them.")
    files = {split: tuple(file for file in pair if file) for split, pair in found.items()}
    labels = {split: _read_idx(pair[1], 1) for split, pair in files.items()}
    classes = 1 + max(int(of_split.max(initial=0)) for of_split in labels.values())
    for split, of_split in labels.items():
        _check_classes(path, split, tuple(map(str, range(classes))), of_split.tolist())
    return Folder(path, tuple(map(str, range(classes))), files, {}, divided=False)


def _open_splits(path: Path) -> Folder:
    found = {split: _pictures(path / split) for split in ("train", "test")}
    names = {split: tuple(of_split) for split, of_split in found.items()}
    if names["train"] != names["test"]:
        different = sorted(set(names["train"]) ^ set(names["test"]))
        raise DataError(
            f"{path}/train and {path}/test must have the same folders of pictures; only one of "
            f"them has {', '.join(different)}."
        )
    return _folder(path, names["train"], found, divided=False)


def _open_pictures(path: Path) -> Folder:
    found: dict[str, dict[str, list[Path]]] = {"train": {}, "test": {}}
    for name, pictures in _pictures(path).items():
        if len(pictures) < 2:
            raise DataError(f"{path}/{name} holds one picture; two are the least, one for testing.")
        order = sorted(pictures, key=lambda file: _name_hash(path, file))
        tests = set(order[: max(1, len(order) // TEST_SHARE)])
        found["test"][name] = [file for file in pictures if file in tests]
        found["train"][name] = [file for file in pictures if file not in tests]
    return _folder(path, tuple(found["train"]), found, divided=True)


def _name_hash(path: Path, file: Path) -> bytes:
    return hashlib.blake2b(file.relative_to(path).as_posix().encode(), digest_size=8).digest()


def _folder(
    path: Path, classes: tuple[str, ...], found: dict[str, dict[str, list[Path]]], *, divided: bool
) -> Folder:
    files, labels = {}, {}
    for split, of_split in found.items():
        pairs = [(file, k) for k, name in enumerate(classes) for file in of_split[name]]
        files[split], labels[split] = tuple(f for f, _ in pairs), tuple(k for _, k in pairs)
        _check_classes(path, split, classes, list(labels[split]))
    return Folder(path, classes, files, labels, divided)


def _pictures(path: Path) -> dict[str, list[Path]]:
    """The pictures in each folder of `path`, both in the order of their names."""
    if not path.is_dir():
        raise DataError(f"There is no folder {path}; a data set is {_LAYOUTS}.")
    folders = sorted(part for part in path.iterdir() if part.is_dir() and part.name[0] != ".")
    found = {
        folder.name: sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
        for folder in folders
    }
    empty = [name for name, pictures in found.items() if not pictures]
    if empty:
        raise DataError(f"{path / empty[0]} holds no pictures; add some, or take the folder away.")
    return found


def _check_classes(path: Path, split: str, classes: tuple[str, ...], labels: list[int]) -> None:
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{path} holds {len(classes)} classes; there must be 2 to {MOST_CLASSES}, "
            f"as {_LAYOUTS}."
        )
    empty = [name for k, name in enumerate(classes) if k not in set(labels)]
    if empty:
        raise DataError(f"{path} has no {split} image of {', '.join(empty[:5])}; add some.")


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}).") from None


def _read_idx_split(images_file: Path, labels_file: Path) -> Arrays:
    images, labels = _read_idx(images_file, 3), _read_idx(labels_file, 1)
    if images.shape[1:] != (SIDE, SIDE):
        raise DataError(
            f"{images_file} holds images of {images.shape[1]}x{images.shape[2]}; they must be "
            f"{SIDE}x{SIDE}. Folders of pictures are resized when they are read."
        )
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} holds {len(images):,} images, {labels_file.name} {len(labels):,} "
            "labels; they do not belong together."
        )
    return images, labels


def _read_idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """MNIST's format: 0, 0, 8 for bytes, the number of dimensions, these in 4 bytes each, values.

    The format is told at yann.lecun.com/exdb/mnist.
    """
    content = _bytes(file)
    try:
        content = gzip.decompress(content) if file.suffix == ".gz" else content
        magic, *shape = struct.unpack_from(f">{1 + dimensions}I", content)
        values = np.frombuffer(content, np.uint8, offset=4 * (1 + dimensions))
        if magic != 0x0800 + dimensions:
            raise ValueError(f"it does not start with {0x0800 + dimensions} but with {magic}")
        return values.reshape(shape)
    except (ValueError, struct.error, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{file} is no IDX file of bytes in {dimensions} dimensions, or cut short ({error})."
        ) from None


def _read_picture(file: Path) -> NDArray[np.uint8]:
    """(28, 28) grey, squeezed into a square, upright."""
    return squeeze(load_picture(file)).image
