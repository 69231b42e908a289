"""DATASETS: read and split; a data set is two resident uint8 tensors and their labels."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.names import printable
from fashionbench.data.fashion_mnist import CLASSES, FILES, Arrays, raw_folder, read_fashion_mnist
from fashionbench.data.folders import Reading, is_path, open_folder
from fashionbench.data.notes import note_copies, note_faintness
from fashionbench.data.picture_reading import Levels
from fashionbench.data.silhouettes import SILHOUETTES, draw_silhouettes
from fashionbench.errors import DataError, UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = [
    "DATASETS",
    "DataSummary",
    "Dataset",
    "Split",
    "dataset_entry",
    "describe",
    "hold_out",
    "identify_dataset",
    "load_arrays",
    "load_data",
]


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels, on one device."""

    images: "Tensor"
    """(N, 28, 28) uint8, light on black."""
    labels: "Tensor"
    """(N,) int64."""

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: "torch.device | str") -> "Split":
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory. `test` is for reporting alone: nothing is chosen by it."""

    name: str
    title: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    notes: tuple[str, ...] = ()
    """What a reader of results on it must know, in sentences."""
    levels: Levels | None = None
    """What became black and white in pictures with more than 8 bits; None where there are none."""

    def to(self, device: "torch.device | str") -> "Dataset":
        return replace(self, train=self.train.to(device), test=self.test.to(device))


def read_silhouettes(splits: Sequence[str]) -> list[Arrays]:
    """The silhouettes, drawn now."""
    drawn = dict(zip(("train", "test"), draw_silhouettes(), strict=True))
    return [drawn[split] for split in splits]


@dataclass(frozen=True)
class DatasetEntry:
    """What a data set is called, and how its arrays are had."""

    name: str
    title: str
    classes: tuple[str, ...]
    read: Callable[[Path | str | None, Sequence[str], bool], Reading]
    """Data root, names of splits, whether to download -> the arrays of those splits."""
    place: str = ""
    """Where the images are; empty for Fashion-MNIST, whose files a root holds."""
    notes: tuple[str, ...] = ()
    """What of a person's own folder is not used, in sentences."""


DATASETS = {
    "fashion-mnist": DatasetEntry(
        name="fashion-mnist",
        title="Fashion-MNIST",
        classes=CLASSES,
        read=lambda root, splits, download: Reading(read_fashion_mnist(root, splits, download)),
    ),
    "silhouettes": DatasetEntry(
        name="silhouettes",
        title="Silhouettes (drawn by fashionbench)",
        classes=SILHOUETTES,
        read=lambda root, splits, download: Reading(read_silhouettes(splits)),
        place="drawn by the program",
    ),
}


def dataset_entry(name: str) -> DatasetEntry:
    """The entry of a key of the table or of a person's own folder. Raises UsageError for others."""
    if name in DATASETS:
        return DATASETS[name]
    if not is_path(name):
        raise UsageError(
            f"There is no data set {name!r}; there are {', '.join(DATASETS)}, and paths of folders "
            "such as my_pictures/ for one of your own."
        )
    folder = open_folder(name)
    return DatasetEntry(
        name=name,
        title=folder.title,
        classes=folder.classes,
        read=lambda root, splits, download: folder.read(splits),
        place=printable(folder.path),
        notes=folder.notes,
    )


def identify_dataset(name: str) -> str:
    """A digest of the content of a person's own data set; "" for those of the table.

    Raises UsageError for a data set that is not there, DataError for a folder that holds none.
    """
    entry = dataset_entry(name)
    return "" if entry.name in DATASETS else open_folder(name).digest()


def load_arrays(
    name: str,
    root: Path | str | None = None,
    splits: Sequence[str] = ("train", "test"),
    *,
    download: bool = True,
) -> list[Arrays]:
    """Images and labels of the named splits as read-only arrays, without torch.

    Root and errors are those of `load_data`; only the files of `splits` are verified.
    """
    return dataset_entry(name).read(root, splits, download).arrays


def _read_whole(entry: DatasetEntry, root: Path | str | None, download: bool = True) -> Reading:
    """Both splits, with all that is to be told of a person's own."""
    reading = entry.read(root, ("train", "test"), download)
    if entry.name in DATASETS:
        return reading
    (train, _), (test, _) = reading.arrays
    seen = (*note_copies(train, test), *note_faintness(train))
    return replace(reading, notes=(*entry.notes, *reading.notes, *seen))


def load_data(
    name: str = "fashion-mnist",
    root: Path | str | None = None,
    *,
    download: bool = True,
    source: str | None = None,
) -> Dataset:
    """Read a data set into memory, every file verified; fetch it first if it is absent.

    `root` is the folder above FashionMNIST/raw, by default that of `data_root`; `source` is what
    `identify_dataset` said before, where nothing else will do. Raises UsageError for an unknown
    name, DataError for data that cannot be had, are not right, or have changed.

    Examples:
        >>> data = fb.load_data("silhouettes")
        >>> data.train.images.shape
        torch.Size([6000, 28, 28])
    """
    import torch

    entry = dataset_entry(name)
    reading = _read_whole(entry, root, download)
    train, test = (
        Split(torch.tensor(images), torch.tensor(labels).long())
        for images, labels in reading.arrays
    )
    if source is not None and identify_dataset(name) != source:
        raise DataError(
            f"The files of {name} have changed since the command began; finished runs are kept. "
            "Give the command again to train with the new ones."
        )
    return Dataset(name, entry.title, entry.classes, train, test, reading.notes, reading.levels)


@dataclass(frozen=True)
class DataSummary:
    """What a data set holds, after reading and verifying all of it."""

    name: str
    title: str
    place: str
    """The folder, or that the program draws it."""
    files: tuple[str, ...]
    """Each verified by MD5 and content; none if the program draws the data set."""
    classes: dict[str, tuple[int, int]]
    """Training and test images of each class."""
    mean: float
    """Of the training images' pixels, in [0, 1]."""
    sd: float
    notes: tuple[str, ...] = ()
    """What a reader of results on it must know, in sentences."""

    def __str__(self) -> str:
        train, test = (sum(counts) for counts in zip(*self.classes.values(), strict=True))
        verified = f"; {len(self.files)} files, verified by MD5" if self.files else ""
        rows = [f"  {name:20}{train:7,}{test:7,}" for name, (train, test) in self.classes.items()]
        return (
            f"{self.title}: {self.place}{verified}\n"
            f"{train:,} training and {test:,} test images; "
            f"training pixels: mean {self.mean:.4f}, sd {self.sd:.4f}\n"
            + "\n".join(rows + [f"! {note}" for note in self.notes])
        )


def describe(name: str = "fashion-mnist", root: Path | str | None = None) -> DataSummary:
    """Read, verify and count a data set, without torch; root and errors are `load_data`'s."""
    entry = dataset_entry(name)
    reading = _read_whole(entry, root)
    (images, labels), (_, test_labels) = reading.arrays
    counts = zip(np.bincount(labels).tolist(), np.bincount(test_labels).tolist(), strict=True)
    mean = images.mean() / 255
    mean_square = np.square(images, dtype=np.uint16).mean() / 255**2
    return DataSummary(
        name=name,
        title=entry.title,
        place=entry.place or str(raw_folder(root)),
        files=tuple(file.name for split in FILES.values() for file in split if not entry.place),
        classes=dict(zip(entry.classes, counts, strict=True)),
        mean=float(mean),
        sd=float(np.sqrt(mean_square - mean**2)),
        notes=reading.notes,
    )


def hold_out(
    split: Split, validation_images: int, train_images: int | None = None
) -> tuple[Split, Split]:
    """Divide into training and validation images: each class gives the same share.

    Which images are held out follows from a hash of their positions, so it is the same
    for every model, seed and machine; to hold out more adds to those held out before.
    With `train_images` only so many are trained on: those that would be held out last, so
    that fewer are part of more, and validation images change nothing about them.
    Raises UsageError unless each class keeps an image to train on.
    """
    if validation_images == 0 and train_images is None:
        return split, Split(split.images[:0], split.labels[:0])
    import torch

    labels = split.labels.cpu().numpy()
    limit = len(labels) - len(np.unique(labels))
    if not 0 <= validation_images <= limit:
        raise UsageError(
            f"{validation_images} validation images cannot be held out of {len(labels)}; "
            f"0 to {limit} leave an image of each class to train on."
        )
    left, classes = len(labels) - validation_images, len(labels) - limit
    wanted = left if train_images is None else train_images
    if not classes <= wanted <= left:
        raise UsageError(
            f"{wanted} training images cannot be chosen; there are {left} of {classes} classes, "
            "and each class needs one."
        )
    order = hold_out_order(labels)
    parts = order[len(labels) - wanted :], order[:validation_images]
    rows = [torch.from_numpy(np.sort(part)).to(split.labels.device) for part in parts]
    training, validation = (Split(split.images[row], split.labels[row]) for row in rows)
    return training, validation


def hold_out_order(labels: NDArray[Any]) -> NDArray[np.intp]:
    """(N,) positions in the order in which they are held out.

    Within a class by the BLAKE2b (8 bytes) of the decimal position; between classes by
    the share of its class that is then held out, so that the last images of all classes
    come last; ties by label.
    """
    digests = (hashlib.blake2b(b"%d" % i, digest_size=8).digest() for i in range(len(labels)))
    order = np.lexsort((np.frombuffer(b"".join(digests), ">u8"), labels))
    counts = np.bincount(labels)
    ranks = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order[np.argsort((ranks + 1) / np.repeat(counts, counts), kind="stable")]
