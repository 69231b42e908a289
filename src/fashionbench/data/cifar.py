"""CIFAR-10 and CIFAR-100 as torchvision and their authors lay them out: pickles of a few arrays.

Krizhevsky 2009, Learning multiple layers of features from tiny images. A pickle may run any code;
these are read by a reader that knows arrays alone.
"""

import hashlib
import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fashionbench.core.names import printable
from fashionbench.core.shape import Shape
from fashionbench.data.idx import read_bytes
from fashionbench.data.split import Arrays
from fashionbench.errors import DataError

__all__ = ["CifarFolder", "open_cifar"]

SHAPE = Shape(3, 32)


class _Kind(NamedTuple):
    """How one of the two is called and lies on the disk."""

    title: str
    folder: str
    files: dict[str, tuple[str, ...]]
    meta: str
    labels: str
    names: str


_KINDS = (
    _Kind(
        title="CIFAR-10",
        folder="cifar-10-batches-py",
        files={
            "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
            "test": ("test_batch",),
        },
        meta="batches.meta",
        labels="labels",
        names="label_names",
    ),
    _Kind(
        title="CIFAR-100",
        folder="cifar-100-python",
        files={"train": ("train",), "test": ("test",)},
        meta="meta",
        labels="fine_labels",
        names="fine_label_names",
    ),
)


@dataclass(frozen=True)
class CifarFolder:
    """The files of one of them."""

    path: Path
    kind: _Kind
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    native: Shape = SHAPE

    @property
    def title(self) -> str:
        """What tables and plots call it."""
        return self.kind.title

    def digest(self) -> str:
        """Digest the contents of its files."""
        sums = hashlib.sha256(self.kind.title.encode())
        for name in (name for names in self.kind.files.values() for name in names):
            sums.update(hashlib.sha256(read_bytes(self.path / name)).digest())
        return sums.hexdigest()[:16]

    def read_arrays(self, splits: Sequence[str]) -> list[Arrays]:
        """Read the named splits: (N, 3, 32, 32) images and labels.

        Raises DataError for a file that is damaged, and where a class has no image.
        """
        found = [self._read(self.kind.files[split]) for split in splits]
        for split, (_, labels) in zip(splits, found, strict=True):
            absent = sorted({*range(len(self.classes))} - {*labels.tolist()})
            if absent:
                names = ", ".join(self.classes[label] for label in absent[:5])
                raise DataError(
                    f"{printable(self.path)} has no {split} image of {names}; fetch the whole of "
                    f"{self.title}."
                )
        return found

    def _read(self, names: Sequence[str]) -> Arrays:
        images, labels = [], []
        for name in names:
            path = self.path / name
            found = _read_pickle(path)
            try:
                data = np.asarray(found["data"], np.uint8).reshape(-1, *SHAPE.sizes)
                of_file = np.asarray(found[self.kind.labels], np.uint8)
            except (KeyError, ValueError, TypeError, OverflowError) as error:
                raise DataError(
                    f"{printable(path)} is no file of {self.title} ({error})."
                ) from None
            if len(data) != len(of_file) or (len(of_file) and of_file.max() >= len(self.classes)):
                raise DataError(f"{printable(path)} is damaged: images and labels do not match.")
            images.append(data)
            labels.append(of_file)
        return np.concatenate(images), np.concatenate(labels)


def open_cifar(path: Path) -> CifarFolder | None:
    """Find CIFAR-10 or CIFAR-100 in a folder or right below it; None where neither is."""
    for kind in _KINDS:
        for folder in (path, path / kind.folder):
            files = [name for names in kind.files.values() for name in names]
            if not (folder / kind.meta).is_file() or not (folder / files[0]).is_file():
                continue
            absent = [name for name in files if not (folder / name).is_file()]
            if absent:
                raise DataError(f"{printable(folder)} lacks {', '.join(absent)} of {kind.title}.")
            names = _read_pickle(folder / kind.meta).get(kind.names)
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise DataError(f"{printable(folder / kind.meta)} names no classes.")
            return CifarFolder(folder, kind, tuple(map(printable, names)))
    return None


_ARRAYS = {"_reconstruct", "ndarray", "dtype", "_frombuffer", "scalar"}
"""What a pickle of arrays calls in NumPy, under whichever module."""


class _ArrayReader(pickle.Unpickler):
    """Reads numbers, text, lists, dicts and arrays; refuses whatever else a pickle would call."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle names, if it is of those."""
        if (module, name) == ("_codecs", "encode") or (
            module.partition(".")[0] == "numpy" and name in _ARRAYS
        ):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it calls {module}.{name}")


def _read_pickle(path: Path) -> dict[str, Any]:
    content = read_bytes(path)
    try:
        # Python 2 wrote them.
        found = _ArrayReader(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # an unpickler may raise anything over what is no pickle
        raise DataError(f"{printable(path)} cannot be read ({error}); fetch it again.") from None
    if not isinstance(found, dict):
        raise DataError(f"{printable(path)} holds no dict of arrays; fetch it again.")
    return found
