"""A person's own data set: a folder with IDX files, or with a folder of pictures for each class.

Three layouts are known: the four files of MNIST's kind; train/CLASS/picture and
test/CLASS/picture, or val where there is no test; CLASS/picture alone, of which a fifth of each
class becomes the test set, chosen by a hash of the file's name, so that it is the same on every
machine.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fashionbench.core.names import portable_name, printable
from fashionbench.core.shape import GREY28, Shape
from fashionbench.data.idx import IDX_NAMES, find_idx, read_bytes, read_idx, read_idx_split
from fashionbench.data.notes import note_passed_over, note_reductions, note_strays
from fashionbench.data.picture_files import (
    find_pictures,
    is_picture,
    list_visible,
    separate_pictures,
)
from fashionbench.data.picture_reading import (
    Extremes,
    Levels,
    Squeezed,
    common_levels,
    find_extremes,
    find_size,
    squeeze_picture,
)
from fashionbench.data.resizing import is_oblong
from fashionbench.data.split import Arrays
from fashionbench.errors import DataError

__all__ = ["Folder", "Reading", "is_path", "open_folder"]

MOST_CLASSES = 256  # labels are bytes
TEST_SHARE = 5
"""One picture in so many is a test image where a folder does not say which are."""
SMALLEST, LARGEST = 8, 64
"""Pixels a side that a data set has by itself; pictures of phones are larger than networks need."""
NAMED = 5
"""Files that cannot be read and are named beside the first."""
LOOKED_AT, COLORED_SHARE = 60, 0.05
"""Pictures that tell whether a data set is in color, and the share of them that makes it so."""
ROLES = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation"),
}
"""What folders of splits are called, in capitals or not."""

_LAYOUTS = (
    "train/CLASS/*.png with test/CLASS/*.png, CLASS/*.png alone, or the four IDX files "
    f"({', '.join(name for pair in IDX_NAMES.values() for name in pair)}, plain or .gz)"
)
# TIFFs and PNGs with 16 bits were once read in another way: their digests are others since.
_READ_ANEW = re.compile(rb"II\*\0|MM\0\*|\x89PNG.{20}\x10", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Reading:
    """What reading a data set gives."""

    arrays: list[Arrays]
    notes: tuple[str, ...] = ()
    """What a reader of results must know, in sentences."""
    levels: Levels | None = None
    """What became black and white; None where all pictures had 8 bits."""


@dataclass(frozen=True)
class Folder:
    """What a folder holds: the files of each split, with their labels where these are pictures."""

    path: Path
    classes: tuple[str, ...]
    files: dict[str, tuple[Path, ...]]
    """Of each split: images and labels in IDX, or pictures."""
    labels: dict[str, tuple[int, ...]]
    """Of the pictures of each split; empty for IDX files, which hold their own."""
    test_set: str = ""
    """What the test images are, where that does not go without saying."""
    notes: tuple[str, ...] = ()
    """What of the folder is not used, in sentences."""

    @property
    def title(self) -> str:
        """What tables and plots call it."""
        name = printable(portable_name(Path(self.path.resolve().name), Path()))
        return f"{name} ({self.test_set})" if self.test_set else name

    @cached_property
    def levels(self) -> Levels:
        """What becomes black and white in those of all its pictures that have more than 8 bits."""
        files = [file for of_split in self.files.values() for file in of_split]
        found = [extremes for file in files if (extremes := find_extremes(file))]
        lowest, highest, whole = zip(*found, strict=True)
        return common_levels(Extremes(min(lowest), max(highest), all(whole)))

    @cached_property
    def native(self) -> Shape:
        """The shape of its pictures: in color where some are, and as large as most are."""
        if not self.labels:
            sides = [
                side for pair in self.files.values() for side in read_idx(pair[0], 3).shape[1:]
            ]
            return Shape(1, _bounded(max(sides)))
        files = [file for of_split in self.files.values() for file in of_split]
        sizes = [size for file in files if (size := find_size(file))]
        side = int(np.median([max(size) for size in sizes])) if sizes else GREY28.side
        looked_at = files[:: -(-len(files) // LOOKED_AT)]
        coloured = sum(map(self._is_coloured, looked_at))
        return Shape(3 if coloured > COLORED_SHARE * len(looked_at) else 1, _bounded(side))

    def _is_coloured(self, file: Path) -> bool:
        try:
            return squeeze_picture(file, lambda _: self.levels).is_coloured
        except DataError:  # told when all are read
            return False

    def digest(self) -> str:
        """Digest names and contents of all its files: what a changed data set is known by."""
        sums = hashlib.sha256()
        for split, files in self.files.items():
            for file in files:
                content = read_bytes(file)
                anew = " read anew" if _READ_ANEW.match(content) else ""
                size = find_size(file) if self.labels else None
                anew += " padded" if size and is_oblong(*size) else ""
                sums.update(_encoded(f"{split}/{portable_name(file, self.path)}\0"))
                sums.update(f"{hashlib.sha256(content).hexdigest()}{anew}".encode())
        return sums.hexdigest()[:16]

    def read(self, splits: Sequence[str], shape: Shape) -> Reading:
        """Read the named splits in a shape. Raises DataError, which names all faulty files."""
        if not self.labels:
            return Reading([self._read_idx(split) for split in splits])
        faults: dict[str, DataError] = {}
        pictures = [self._read_pictures(split, shape, faults) for split in splits]
        if faults:
            raise _tell(faults)
        every = [picture for of_split in pictures for picture in of_split]
        return Reading(
            arrays=[
                (
                    np.stack([picture.image for picture in of]),
                    np.array(self.labels[split], np.uint8),
                )
                for split, of in zip(splits, pictures, strict=True)
            ],
            notes=note_reductions(every, shape),
            levels=self.levels if any(picture.is_deep for picture in every) else None,
        )

    def _read_pictures(
        self, split: str, shape: Shape, faults: dict[str, DataError]
    ) -> list[Squeezed]:
        pictures = []
        for file in self.files[split]:
            try:
                pictures.append(squeeze_picture(file, lambda _: self.levels, shape))
            except DataError as error:
                faults[printable(portable_name(file, self.path))] = error
        return pictures

    def _read_idx(self, split: str) -> Arrays:
        images, labels = read_idx_split(*self.files[split])
        return images, np.searchsorted([int(name) for name in self.classes], labels).astype("uint8")


def _tell(faults: Mapping[str, DataError]) -> DataError:
    """Name every file at once: who mends them one by one reads all the others each time."""
    (_, first), *others = faults.items()
    if not others:
        return first
    names = [name for name, _ in others[:NAMED]]
    beyond = [f"{len(others) - NAMED} more"] if len(others) > NAMED else []
    return DataError(f"{first} Nor can these be used: {', '.join(names + beyond)}.")


def _bounded(side: int) -> int:
    return max(SMALLEST, min(LARGEST, side))


def is_path(name: str) -> bool:
    """Tell whether a data set's name is that of a folder."""
    return "/" in name or os.sep in name or (name != "" and Path(name).expanduser().is_dir())


def open_folder(name: str) -> Folder:
    """Find out what a folder holds. Raises DataError if that is no data set."""
    path = Path(name).expanduser()
    if not path.is_dir():
        raise DataError(f"There is no folder {printable(name)}; give one that holds {_LAYOUTS}.")
    if printable(path) != str(path):  # records hold it as text
        raise DataError(f"{printable(path)} has a name that is no UTF-8; rename it.")
    if files := find_idx(path):
        return _open_idx(path, files)
    folders = _folders(path)
    roles = {role: [f for f in folders if f.name.lower() in ROLES[role]] for role in ROLES}
    named = [folder for of_role in roles.values() for folder in of_role]
    if named and (len(named) == len(folders) or not _are_classes(named)):
        return _open_splits(path, roles)
    return _open_classes(path)


def _folders(path: Path) -> list[Path]:
    return [part for part in list_visible(path) if part.is_dir()]


def _are_classes(named: Sequence[Path]) -> bool:
    """Tell whether folders called as splits are classes: with pictures, and no folders alike."""
    within = [{part.name for part in _folders(folder)} for folder in named]
    alike = len(named) > 1 and set.intersection(*within)
    return not alike and all(map(_holds_pictures, named))


def _holds_pictures(folder: Path) -> bool:
    """Tell whether pictures lie in the folder itself."""
    return any(part.is_file() and is_picture(part) for part in list_visible(folder))


def _open_idx(path: Path, files: dict[str, tuple[Path, ...]]) -> Folder:
    labels = {split: read_idx(pair[1], 1) for split, pair in files.items()}
    values = np.union1d(*labels.values())
    classes = tuple(map(str, values.tolist()))
    for split, of_split in labels.items():
        _check_classes(path, split, classes, np.searchsorted(values, of_split).tolist())
    return Folder(path, classes, files, {})


class _Found(NamedTuple):
    """The pictures of each class, and what is passed over."""

    classes: dict[str, list[Path]]
    others: list[Path]
    """Files that are no pictures."""
    strays: list[Path]
    """Pictures of no class."""


def _open_splits(path: Path, roles: dict[str, list[Path]]) -> Folder:
    test_role = "test" if roles["test"] or not roles["val"] else "val"
    train, test = (_only(path, role, roles[role]) for role in ("train", test_role))
    found = {"train": _classes(train), "test": _classes(test)}
    names = {split: tuple(of_split.classes) for split, of_split in found.items()}
    if names["train"] != names["test"]:
        different = map(printable, sorted(set(names["train"]) ^ set(names["test"])))
        raise DataError(
            f"{train} and {test} must have the same folders of pictures; only one of them has "
            f"{', '.join(different)}."
        )
    unused = [folder for folder in _folders(path) if folder not in (train, test)]
    return _folder(
        path,
        {split: of_split.classes for split, of_split in found.items()},
        test_set=f"{printable(test.name)} is the test set" if test_role == "val" else "",
        notes=(*_note_unused(unused), *_note_rest(*found.values(), _beside(path))),
    )


def _only(path: Path, role: str, folders: list[Path]) -> Path:
    if not folders:
        raise DataError(f"There is no folder {path}/{role}; a data set is {_LAYOUTS}.")
    if len(folders) > 1:
        names = " and ".join(folder.name for folder in folders)
        raise DataError(f"{path} holds {names}, of which one can be meant; keep one.")
    return folders[0]


def _note_unused(folders: Iterable[Path]) -> Iterable[str]:
    for folder in folders:
        pictures, _ = find_pictures(folder)
        unused = f"The folder {printable(folder.name)} with {len(pictures):,} pictures is not used"
        if folder.name.lower() in ROLES["val"]:
            yield f"{unused}: validation images are held out of the training images."
        elif pictures:
            yield f"{unused}: it is neither of training nor of test images."


def _note_rest(*found: _Found) -> tuple[str, ...]:
    return (
        *note_passed_over([file for part in found for file in part.others]),
        *note_strays([file for part in found for file in part.strays]),
    )


def _open_classes(path: Path) -> Folder:
    found = _classes(path)
    divided: dict[str, dict[str, list[Path]]] = {"train": {}, "test": {}}
    for name, pictures in found.classes.items():
        if len(pictures) < 2:
            raise DataError(
                f"{path}/{printable(name)} holds one picture; two are the least, one for testing."
            )
        order = sorted(pictures, key=lambda file: _name_hash(path, file))
        tests = set(order[: max(1, len(order) // TEST_SHARE)])
        divided["test"][name] = [file for file in pictures if file in tests]
        divided["train"][name] = [file for file in pictures if file not in tests]
    test_set = "a fifth of each class set apart as test images"
    return _folder(path, divided, test_set=test_set, notes=_note_rest(found))


def _name_hash(path: Path, file: Path) -> bytes:
    return hashlib.blake2b(_encoded(portable_name(file, path)), digest_size=8).digest()


def _encoded(name: str) -> bytes:
    # The names of files may be any bytes, of which Python makes surrogates.
    return name.encode("utf-8", "surrogatepass")


def _folder(
    path: Path,
    found: dict[str, dict[str, list[Path]]],
    *,
    test_set: str,
    notes: tuple[str, ...],
) -> Folder:
    names = tuple(found["train"])
    classes = tuple(map(printable, names))
    files, labels = {}, {}
    for split, of_split in found.items():
        pairs = [(file, k) for k, name in enumerate(names) for file in of_split[name]]
        files[split], labels[split] = tuple(f for f, _ in pairs), tuple(k for _, k in pairs)
        _check_classes(path, split, classes, list(labels[split]))
    return Folder(path, classes, files, labels, test_set, notes)


def _classes(path: Path) -> _Found:
    """List the pictures in each folder of `path`, both in the order of their names."""
    found = _beside(path)
    for folder in _folders(path):
        pictures, others = find_pictures(folder)
        name = portable_name(folder, path)
        if not pictures:
            raise DataError(
                f"{printable(folder)} holds no pictures; add some, or take the folder away."
            )
        if name in found.classes:
            raise DataError(
                f"{path} holds two folders called {name}, written in two forms of Unicode; put "
                "their pictures into one."
            )
        found.classes[name] = pictures
        found.others.extend(others)
    return found


def _beside(path: Path) -> _Found:
    """List the files in `path` itself."""
    pictures, others = separate_pictures(part for part in list_visible(path) if part.is_file())
    return _Found({}, others, pictures)


def _check_classes(path: Path, split: str, classes: tuple[str, ...], labels: list[int]) -> None:
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{path} holds {len(classes)} class{'' if len(classes) == 1 else 'es'}; there must be "
            f"2 to {MOST_CLASSES}, as {_LAYOUTS}."
        )
    empty = [name for k, name in enumerate(classes) if k not in set(labels)]
    if empty:
        raise DataError(f"{path} has no {split} image of {', '.join(empty[:5])}; add some.")
