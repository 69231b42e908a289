"""DATASETS: the one table of the data sets, and how one is read and described."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fashionbench.core.names import portable_name, printable
from fashionbench.core.shape import GREY28, Shape
from fashionbench.core.whole_numbers import check_whole
from fashionbench.data.cifar import CifarFolder, open_cifar
from fashionbench.data.fashion_mnist import CLASSES, FILES, raw_folder, read_fashion_mnist
from fashionbench.data.folders import Folder, Reading, is_path, open_folder
from fashionbench.data.notes import note_copies, note_faintness
from fashionbench.data.resizing import fit_images
from fashionbench.data.silhouettes import SILHOUETTES, draw_silhouettes
from fashionbench.data.split import Arrays, Dataset, Split
from fashionbench.errors import DataError, UsageError

__all__ = [
    "DATASETS",
    "DataSummary",
    "dataset_entry",
    "describe",
    "find_shape",
    "identify_dataset",
    "load_arrays",
    "load_data",
    "name_pictures",
]


SIZES = (8, 512)
"""The least and most pixels a side that images may be shown at."""


def read_silhouettes(splits: Sequence[str]) -> list[Arrays]:
    """Draw the silhouettes."""
    drawn = dict(zip(("train", "test"), draw_silhouettes(), strict=True))
    return [drawn[split] for split in splits]


def _fit(arrays: Sequence[Arrays], shape: Shape) -> Reading:
    return Reading([(fit_images(images, shape), labels) for images, labels in arrays])


@dataclass(frozen=True)
class DatasetEntry:
    """What a data set is called, and how its arrays are had."""

    name: str
    title: str
    classes: tuple[str, ...]
    read: Callable[[Path | str | None, Sequence[str], bool, Shape], Reading]
    """Folder of the data, names of splits, whether to download, shape -> arrays of those splits."""
    native: Callable[[], Shape] = lambda: GREY28
    """The shape of its images where nobody asks for another."""
    place: str = ""
    """Where the images are; empty for Fashion-MNIST, whose files the folder of the data holds."""
    notes: tuple[str, ...] = ()
    """What of a person's own folder is not used, in sentences."""


DATASETS = {
    "fashion-mnist": DatasetEntry(
        name="fashion-mnist",
        title="Fashion-MNIST",
        classes=CLASSES,
        read=lambda data_dir, splits, download, shape: _fit(
            read_fashion_mnist(data_dir, splits, download), shape
        ),
    ),
    "silhouettes": DatasetEntry(
        name="silhouettes",
        title="Silhouettes (drawn by fashionbench)",
        classes=SILHOUETTES,
        read=lambda data_dir, splits, download, shape: _fit(read_silhouettes(splits), shape),
        place="drawn by the program",
    ),
}


def dataset_entry(name: str) -> DatasetEntry:
    """Return the entry of a key of the table or of a person's own folder.

    Raises UsageError for others.
    """
    if name in DATASETS:
        return DATASETS[name]
    if not is_path(name):
        raise UsageError(
            f"There is no data set {name!r}; there are {', '.join(DATASETS)}, and paths of folders "
            "such as my_pictures/ for one of your own."
        )
    folder = _open(name)
    return DatasetEntry(
        name=name,
        title=folder.title,
        classes=folder.classes,
        read=lambda data_dir, splits, download, shape: _read_folder(folder, splits, shape),
        native=lambda: folder.native,
        place=printable(folder.path),
        notes=folder.notes,
    )


def _open(name: str) -> Folder | CifarFolder:
    return open_cifar(Path(name).expanduser()) or open_folder(name)


def _read_folder(folder: Folder | CifarFolder, splits: Sequence[str], shape: Shape) -> Reading:
    if isinstance(folder, CifarFolder):
        return _fit(folder.read_arrays(splits), shape)
    reading = folder.read(splits, shape)  # its pictures fit already, and IDX files do not
    return replace(reading, arrays=_fit(reading.arrays, shape).arrays)


def find_shape(dataset: str, channels: int | None = None, size: int | None = None) -> Shape:
    """Return the shape of a data set's images: what is asked, else what its own pictures have.

    Raises UsageError for what no network is shown.
    """
    if channels is True or channels not in (None, 1, 3):
        raise UsageError(f"channels is {channels!r}, but can be 1 (grey) or 3 (in color).")
    if size is not None:
        check_whole("size", size, *SIZES)
    native = dataset_entry(dataset).native() if channels is None or size is None else GREY28
    return Shape(channels or native.channels, size or native.side)


def identify_dataset(name: str) -> str:
    """Digest the content of a person's own data set; "" for those of the table.

    Raises UsageError for a data set that is not there, DataError for a folder that holds none.
    """
    entry = dataset_entry(name)
    return "" if entry.name in DATASETS else _open(name).digest()


def name_pictures(name: str) -> dict[str, list[str]]:
    """List the files of a person's own pictures by split, named within their folder.

    Empty where files hold many images each. Raises what `identify_dataset` raises.
    """
    if dataset_entry(name).name in DATASETS:
        return {}
    folder = _open(name)
    if isinstance(folder, CifarFolder) or not folder.labels:
        return {}
    return {
        split: [printable(portable_name(file, folder.path)) for file in files]
        for split, files in folder.files.items()
    }


def load_arrays(
    dataset: str,
    data_dir: Path | str | None = None,
    splits: Sequence[str] = ("train", "test"),
    *,
    channels: int | None = None,
    size: int | None = None,
    download: bool = True,
) -> list[Arrays]:
    """Read images and labels of the named splits into read-only arrays, without torch.

    The other arguments and errors are those of `load_data`; only the files of `splits` are
    verified.
    """
    shape = find_shape(dataset, channels, size)
    return dataset_entry(dataset).read(data_dir, splits, download, shape).arrays


def _read_whole(
    entry: DatasetEntry, data_dir: Path | str | None, shape: Shape, download: bool = True
) -> Reading:
    """Read both splits, and note what a reader must know of a person's own."""
    reading = entry.read(data_dir, ("train", "test"), download, shape)
    if entry.name in DATASETS:
        return reading
    (train, _), (test, _) = reading.arrays
    seen = (*note_copies(train, test), *note_faintness(train))
    return replace(reading, notes=(*entry.notes, *reading.notes, *seen))


def load_data(
    dataset: Path | str = "fashion-mnist",
    data_dir: Path | str | None = None,
    *,
    channels: int | None = None,
    size: int | None = None,
    download: bool = True,
    source: str | None = None,
) -> Dataset:
    """Read a data set into memory, every file verified; fetch it first if it is absent.

    `dataset` is a key of the table or the path of a folder of your own pictures, `data_dir` the
    folder above FashionMNIST/raw: by default $FASHIONBENCH_DATA, or a cache in your home.
    `channels` (1 or 3) and `size` (pixels a side) say how its images are shown to networks; those
    of your own have their own color and size by default, up to 64 pixels, others are padded to a
    square. `source` is what `identify_dataset` gave before, where nothing else will do. Raises
    UsageError for an unknown name, DataError for data that cannot be had, are not right, or have
    changed.

    Examples:
        >>> data = fb.load_data("silhouettes")
        >>> data.train.images.shape
        torch.Size([6000, 28, 28])
    """
    import torch

    dataset = str(dataset)
    entry = dataset_entry(dataset)
    shape = find_shape(dataset, channels, size)
    reading = _read_whole(entry, data_dir, shape, download)
    title = entry.title if shape == GREY28 else f"{entry.title}, {shape}"
    train, test = (
        Split(torch.tensor(images), torch.tensor(labels).long())
        for images, labels in reading.arrays
    )
    if source is not None and identify_dataset(dataset) != source:
        raise DataError(
            f"The files of {dataset} have changed since the command began; finished runs are kept. "
            "Give the command again to train with the new ones."
        )
    return Dataset(dataset, title, entry.classes, train, test, reading.notes, reading.levels)


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
    channels: int = 1
    size: int = 28
    notes: tuple[str, ...] = ()
    """What a reader of results on it must know, in sentences."""

    def __str__(self) -> str:
        train, test = (sum(counts) for counts in zip(*self.classes.values(), strict=True))
        verified = f"; {len(self.files)} files, verified by MD5" if self.files else ""
        rows = [f"  {name:20}{train:7,}{test:7,}" for name, (train, test) in self.classes.items()]
        return (
            f"{self.title}: {self.place}{verified}\n"
            f"{train:,} training and {test:,} test images, {Shape(self.channels, self.size)}; "
            f"training pixels: mean {self.mean:.4f}, sd {self.sd:.4f}\n"
            + "\n".join(rows + [f"! {note}" for note in self.notes])
        )


def describe(
    dataset: str = "fashion-mnist",
    data_dir: Path | str | None = None,
    *,
    channels: int | None = None,
    size: int | None = None,
) -> DataSummary:
    """Read, verify and count a data set, without torch.

    The arguments and errors are those of `load_data`.
    """
    entry = dataset_entry(dataset)
    shape = find_shape(dataset, channels, size)
    reading = _read_whole(entry, data_dir, shape)
    (images, labels), (_, test_labels) = reading.arrays
    counts = zip(np.bincount(labels).tolist(), np.bincount(test_labels).tolist(), strict=True)
    mean = images.mean() / 255
    mean_square = np.square(images, dtype=np.uint16).mean() / 255**2
    return DataSummary(
        name=dataset,
        title=entry.title,
        place=entry.place or str(raw_folder(data_dir)),
        files=tuple(file.name for split in FILES.values() for file in split if not entry.place),
        classes=dict(zip(entry.classes, counts, strict=True)),
        mean=float(mean),
        sd=float(np.sqrt(mean_square - mean**2)),
        channels=shape.channels,
        size=shape.side,
        notes=reading.notes,
    )
