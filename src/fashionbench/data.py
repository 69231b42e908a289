"""DATASETS: fetch, verify and read; images resident as one uint8 tensor a split.

Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747) is read from
torchvision's layout, `<root>/FashionMNIST/raw/*.gz`. Nothing unverified is ever
used: neither a file whose MD5 differs from the official one nor one whose content
is not what its name says.
"""

import gzip
import hashlib
import os
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fashionbench.errors import DataError, UsageError
from fashionbench.silhouettes import SILHOUETTES, draw_silhouettes

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["DATASETS", "Dataset", "Split", "data_root", "describe", "hold_out", "load_data"]

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""(N, 28, 28) images and (N,) labels."""


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Dataset:
    """A data set in memory. `test` is for reporting alone; nothing is chosen by it."""

    name: str
    title: str
    classes: tuple[str, ...]
    train: Split
    test: Split


@dataclass(frozen=True)
class DatasetEntry:
    """What a data set is called, and how its arrays are had: training, then test."""

    title: str
    classes: tuple[str, ...]
    read: Callable[[Path], tuple[Arrays, Arrays]]
    on_disk: bool


@dataclass(frozen=True)
class OfficialFile:
    """One of the four files: its MD5 as torchvision checks it, and what must be inside."""

    name: str
    md5: str
    count: int


TRAIN_FILES = (
    OfficialFile("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 60_000),
    OfficialFile("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 60_000),
)
TEST_FILES = (
    OfficialFile("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 10_000),
    OfficialFile("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 10_000),
)
FILES = TRAIN_FILES + TEST_FILES

# MNIST has files of the same names; people have trained on it believing it was this.
MNIST_MD5 = {
    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "d53e105ee54ea40749a09fcbcd1e9432",
    "9fb629c4189551a2d022fa330f9573f3",
    "ec29112dd5afa0611ce80d1b7f02629c",
}

MIRRORS = (
    "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
)
"""Tried in turn; the first is torchvision's host, asked by https."""

TIMEOUT_SECONDS = 30


def data_root(explicit: Path | str | None = None) -> Path:
    """The folder above FashionMNIST/raw: `explicit`, else $FASHIONBENCH_DATA, else the cache."""
    if explicit or os.environ.get("FASHIONBENCH_DATA"):
        return Path(explicit or os.environ["FASHIONBENCH_DATA"]).expanduser()
    import pooch

    return Path(pooch.os_cache("fashionbench"))


def read_fashion_mnist(root: Path) -> tuple[Arrays, Arrays]:
    """Training and test arrays, verified; fetched first where files are absent."""
    raw = root / "FashionMNIST" / "raw"
    if not all((raw / file.name).exists() for file in FILES):
        fetch(raw)
    # MD5 and unzipping release the interpreter's lock, so threads do gain.
    with ThreadPoolExecutor(len(FILES)) as pool:
        contents = pool.map(lambda file: read_verified(raw / file.name, file), FILES)
        train_images, train_labels, test_images, test_labels = contents
    return (train_images, train_labels), (test_images, test_labels)


def read_verified(path: Path, file: OfficialFile) -> NDArray[np.uint8]:
    """The content of one file as an array. Raises DataError unless it is the official one."""
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from None
    md5 = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if md5 != file.md5:
        raise DataError(
            f"{path} is not Fashion-MNIST's file but {_what_it_is(packed, md5)}; "
            "delete it and give the command again, and the right one is fetched."
        )
    return parse_idx(gzip.decompress(packed), path, file.count)


def _what_it_is(packed: bytes, md5: str) -> str:
    if md5 in MNIST_MD5:
        return "MNIST's (handwritten digits)"
    for other in FILES:
        if md5 == other.md5:
            return f"the content of {other.name}"
    try:
        gzip.decompress(packed)
    except (EOFError, OSError, zlib.error):
        return f"cut short or no gzip file at all ({len(packed):,} bytes)"
    return f"something else (its MD5 is {md5})"


def parse_idx(content: bytes, path: Path, count: int) -> NDArray[np.uint8]:
    """IDX bytes -> (N, 28, 28) images or (N,) labels, as the file's magic number says.

    Raises DataError for another magic number, count, size or range of labels.
    """
    kind = "images" if "images" in path.name else "labels"
    shape = (count, 28, 28) if kind == "images" else (count,)
    # The magic number names the type, unsigned bytes, and the number of dimensions.
    header = np.array([0x800 + len(shape), *shape], ">i4").tobytes()
    values = np.frombuffer(content, np.uint8)[len(header) :]
    right = content[: len(header)] == header and values.size == np.prod(shape)
    if right and kind == "labels":
        right = bool((np.bincount(values, minlength=10) == count / 10).all()) and values.max() <= 9
    if not right:
        raise DataError(
            f"{path} does not hold {count:,} {kind} of ten classes; delete it and "
            "give the command again, and the right one is fetched."
        )
    return values.reshape(shape)


def fetch(raw: Path) -> None:
    """Download the absent files into `raw`, one process at a time, from a mirror that works.

    Each arrives under a temporary name, is checked, then renamed. Raises DataError
    if the folder cannot be written or no mirror gives the right file.
    """
    import pooch
    from filelock import FileLock

    try:
        raw.mkdir(parents=True, exist_ok=True)
        with FileLock(raw / ".fashionbench.lock"):
            logger = pooch.get_logger()
            level = logger.level
            logger.setLevel("WARNING")
            try:
                for file in FILES:
                    if not (raw / file.name).exists():
                        _fetch_file(raw, file)
            finally:
                logger.setLevel(level)
    except OSError as error:
        raise DataError(
            f"Fashion-MNIST is not in {raw}, and cannot be put there ({error.strerror}); "
            "name a folder that has it or can be written with --data or FASHIONBENCH_DATA."
        ) from None


def _fetch_file(raw: Path, file: OfficialFile) -> None:
    import pooch
    import requests

    failures = []
    for mirror in MIRRORS:
        try:
            pooch.retrieve(
                mirror + file.name,
                known_hash=f"md5:{file.md5}",
                fname=file.name,
                path=raw,
                downloader=pooch.HTTPDownloader(
                    progressbar=sys.stderr.isatty(), timeout=TIMEOUT_SECONDS
                ),
            )
            return
        # requests' errors are OSErrors too; pooch raises ValueError for a wrong hash.
        except requests.RequestException as error:
            failures.append(f"{mirror} ({type(error).__name__})")
        except ValueError:
            failures.append(f"{mirror} (gave another file)")
    raise DataError(
        f"Fashion-MNIST is not on this machine and cannot be fetched. Looked for {file.name} in "
        f"{raw}, and at {', '.join(failures)}. Bring the four .gz files to that folder, or name "
        "another root with --data or FASHIONBENCH_DATA; `--dataset silhouettes` needs neither."
    )


DATASETS = {
    "fashion-mnist": DatasetEntry(
        "Fashion-MNIST",
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        read_fashion_mnist,
        on_disk=True,
    ),
    "silhouettes": DatasetEntry(
        "Silhouettes (drawn by fashionbench)",
        SILHOUETTES,
        lambda root: draw_silhouettes(),
        on_disk=False,
    ),
}


def _entry(name: str) -> DatasetEntry:
    if name not in DATASETS:
        raise UsageError(f"There is no data set {name!r}; there are {', '.join(DATASETS)}.")
    return DATASETS[name]


def load_arrays(name: str, root: Path | str | None = None) -> tuple[Arrays, Arrays]:
    """Training and test arrays of a data set, without torch; errors as `load_data`."""
    entry = _entry(name)
    return entry.read(data_root(root) if entry.on_disk else Path())


def load_data(name: str = "fashion-mnist", root: Path | str | None = None) -> Dataset:
    """Read a data set into memory, verified, fetching it first if it is absent.

    `root` is the folder above FashionMNIST/raw; see `data_root`. Raises UsageError
    for an unknown name, DataError for data that cannot be had or is not right.
    """
    import torch

    entry = _entry(name)
    train, test = (
        Split(torch.tensor(images), torch.tensor(labels).long())
        for images, labels in load_arrays(name, root)
    )
    return Dataset(name, entry.title, entry.classes, train, test)


@dataclass(frozen=True)
class DataSummary:
    """What `fashionbench data` says of a data set that was read and verified."""

    name: str
    title: str
    place: str
    classes: dict[str, tuple[int, int]]
    """Training and test images of each class."""
    mean: float
    """Of the training pixels, in [0, 1]."""
    sd: float


def describe(name: str, root: Path | str | None = None) -> DataSummary:
    """Read, verify and count a data set; errors as `load_data`."""
    entry = _entry(name)
    (images, labels), (_, test_labels) = load_arrays(name, root)
    counts = [np.bincount(part, minlength=len(entry.classes)) for part in (labels, test_labels)]
    levels = np.bincount(images.ravel(), minlength=256) / images.size
    values = np.arange(256) / 255
    mean = float(levels @ values)
    return DataSummary(
        name,
        entry.title,
        str(data_root(root) / "FashionMNIST" / "raw") if entry.on_disk else "drawn in memory",
        {
            label: (int(train), int(test))
            for label, train, test in zip(entry.classes, *counts, strict=True)
        },
        mean,
        float(np.sqrt(levels @ (values - mean) ** 2)),
    )


def hold_out(data: Split, validation_images: int) -> tuple[Split, Split]:
    """Split into training and validation images: as many of each class as can be.

    An image is held out for a hash of its position, so the split is the same on
    every machine, for every model and seed. Raises UsageError unless at least
    one image remains for training.
    """
    if not validation_images:
        return data, Split(data.images[:0], data.labels[:0])
    if validation_images >= len(data):
        raise UsageError(
            f"{validation_images} validation images cannot be held out of {len(data)}; "
            f"ask for 0 to {len(data) - 1}."
        )
    held = stratified(data.labels.cpu().numpy(), validation_images)
    import torch

    mask = torch.from_numpy(held).to(data.labels.device)
    return (
        Split(data.images[~mask], data.labels[~mask]),
        Split(data.images[mask], data.labels[mask]),
    )


def stratified(labels: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """(N,) which of the labels are held out: `count` in all, classes by their share."""
    keys = [hashlib.sha256(f"validation {i}".encode()).digest() for i in range(len(labels))]
    # Within a class images are ranked by hash; then every class gives its
    # lowest-ranked share. Ties between classes' shares go by the hash as well.
    places: dict[int, list[int]] = {}
    for index in sorted(range(len(labels)), key=keys.__getitem__):
        places.setdefault(int(labels[index]), []).append(index)
    share = {
        index: ((rank + 0.5) / len(members), keys[index])
        for members in places.values()
        for rank, index in enumerate(members)
    }
    held = np.zeros(len(labels), bool)
    held[sorted(share, key=share.__getitem__)[:count]] = True
    return held
