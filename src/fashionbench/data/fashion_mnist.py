"""Fashion-MNIST's four files: fetch, verify, read.

Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747) is read from torchvision's
layout, `<data_dir>/FashionMNIST/raw/*.gz`. Nothing is used that is not the released file, bit
for bit, and a file that a person put there is never overwritten.
"""

import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.files import as_path
from fashionbench.core.progress import progress_bar
from fashionbench.data.split import Arrays
from fashionbench.errors import DataError

__all__ = ["CLASSES", "FILES", "RawFile", "find_data_dir", "raw_folder", "read_fashion_mnist"]

CLASSES = (
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
)


@dataclass(frozen=True)
class RawFile:
    """A file of the release: its MD5, and the shape of the bytes packed in it."""

    name: str
    md5: str
    shape: tuple[int, ...]


# The sums are those of torchvision.datasets.FashionMNIST.
FILES = {
    "train": (
        RawFile("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", (60_000, 28, 28)),
        RawFile("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", (60_000,)),
    ),
    "test": (
        RawFile("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", (10_000, 28, 28)),
        RawFile("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", (10_000,)),
    ),
}

# MNIST's files bear the same names; people have trained on them believing they were these
# (zalandoresearch/fashion-mnist, issue 129). The sums are those of torchvision.datasets.MNIST.
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
"""Tried in turn."""

TIMEOUT_SECONDS = 20
"""How long a mirror may be silent before the next is tried."""


def find_data_dir(data_dir: Path | str | None = None) -> Path:
    """Return the folder above FashionMNIST/raw: as given, by $FASHIONBENCH_DATA, or the cache.

    The cache is $XDG_CACHE_HOME/fashionbench or ~/.cache/fashionbench, and the like on
    macOS and Windows.
    """
    if chosen := data_dir or os.environ.get("FASHIONBENCH_DATA"):
        return as_path("data_dir", chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("fashionbench"))


def raw_folder(data_dir: Path | str | None) -> Path:
    """Return the folder of the four files, where torchvision too keeps them.

    `data_dir` may also be that folder itself, or the one between.
    """
    base = find_data_dir(data_dir)
    usual, *within = base / "FashionMNIST" / "raw", base / "raw", base
    first = FILES["train"][0].name
    return next((place for place in within if os.access(place / first, os.F_OK)), usual)


def read_fashion_mnist(
    data_dir: Path | str | None, splits: Sequence[str], download: bool
) -> list[Arrays]:
    """Read splits of Fashion-MNIST from the disk, fetched before if `download`."""
    folder = raw_folder(data_dir)
    absent = _absent(folder)
    if absent and download:
        fetch(folder)
    elif absent:
        raise DataError(f"{folder} lacks {', '.join(file.name for file in absent)}. {_REMEDY}")
    arrays = read_files(folder, [file for split in splits for file in FILES[split]])
    return list(zip(arrays[::2], arrays[1::2], strict=True))


_REMEDY = (
    "Copy the four .gz files of Fashion-MNIST into that folder, or name another folder with "
    "--data or FASHIONBENCH_DATA; `--dataset silhouettes` needs no files."
)


def _absent(folder: Path) -> list[RawFile]:
    # In a folder that may not be entered Path.exists raises; fetch tells that better.
    files = [file for split in FILES.values() for file in split]
    return [file for file in files if not os.access(folder / file.name, os.F_OK)]


def read_files(folder: Path, files: Sequence[RawFile]) -> list[NDArray[np.uint8]]:
    """Read and verify `files`. Raises one DataError that names every faulty file."""
    # Hashing and unpacking release the interpreter's lock, so threads do run side by side.
    with ThreadPoolExecutor() as pool:
        reads = [pool.submit(read_file, folder / file.name, file) for file in files]
    faults = [str(fault) for read in reads if isinstance(fault := read.exception(), DataError)]
    if faults:
        raise DataError("\n".join(faults))
    return [read.result() for read in reads]


def read_file(path: Path, file: RawFile) -> NDArray[np.uint8]:
    """Read one file, in `file.shape`. Raises DataError unless it is the released one."""
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    md5 = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    try:
        # The sum alone decides; what goes before it says more exactly what is wrong.
        _check_identity(md5, file)
        values = parse_idx(gzip.decompress(packed), file.shape)
        if md5 != file.md5:
            raise ValueError(f"has the MD5 {md5}, the released file {file.md5}")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        fault = f"is cut short or no gzip file ({len(packed):,} bytes; {error})"
    except ValueError as error:
        fault = str(error)
    else:
        return values
    raise DataError(f"{path} {fault}. Delete it, and the right file is fetched next time.")


def _check_identity(md5: str, file: RawFile) -> None:
    if md5 in MNIST_MD5:
        raise ValueError("is MNIST's file (handwritten digits), not Fashion-MNIST's")
    for other in (*FILES["train"], *FILES["test"]):
        if md5 == other.md5 != file.md5:
            raise ValueError(f"is {other.name} under another name")


def parse_idx(content: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Take bytes in MNIST's IDX format as a read-only array; labels are ten classes alike.

    Raises ValueError, with the rest of a sentence about the file, for anything else.
    """
    # The magic number gives the type, 8 for unsigned bytes, and the number of dimensions.
    expected = (0x0800 + len(shape), *shape)
    header = struct.pack(f">{len(expected)}i", *expected)
    if not content.startswith(header):
        raise ValueError(f"does not start with magic number and shape {expected}")
    values = np.frombuffer(content, np.uint8, offset=len(header))
    if values.size != math.prod(shape):
        raise ValueError(f"holds {values.size:,} bytes where {math.prod(shape):,} belong")
    if len(shape) == 1:
        counts = np.bincount(values, minlength=10)
        if len(counts) > 10 or counts.min() != counts.max():
            raise ValueError(f"does not hold the labels 0 to 9 in equal numbers but {counts}")
    return values.reshape(shape)


def fetch(folder: Path) -> None:
    """Download the absent files into `folder`; processes that ask at once take turns.

    A file comes under a temporary name, is verified, then renamed. Raises DataError if
    the folder cannot be written, or no mirror gives the files.
    """
    from filelock import FileLock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".fashionbench.lock"):
            _fetch_from_mirrors(folder)
    except OSError as error:
        raise DataError(
            f"Fashion-MNIST is not in {folder}, and nothing can be written there: "
            f"{error.strerror}. Name another folder with --data or FASHIONBENCH_DATA."
        ) from None


def _fetch_from_mirrors(folder: Path) -> None:
    failures = []
    for mirror in MIRRORS:
        try:
            # Absent still: whoever had the lock before may have fetched them.
            for file in _absent(folder):
                _download(mirror + file.name, folder, file)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            wrong = "not the released file"
            reason = wrong if isinstance(error, ValueError) else error.strerror
            failures.append(f"  {mirror}{file.name}: {reason or type(error).__name__}")
        else:
            return
    raise DataError(
        "\n".join(
            [f"Fashion-MNIST is not in {folder}, and no mirror gives it:", *failures, _REMEDY]
        )
    )


def _download(url: str, folder: Path, file: RawFile) -> None:
    import pooch

    # pooch tells of each file on standard error, where the bar is enough.
    pooch.get_logger().setLevel("WARNING")
    # pooch sets the bar's true total, but a bar must have one to be recognised.
    with progress_bar(total=1, desc=file.name, unit="B", unit_scale=True) as bar:
        pooch.retrieve(
            url,
            known_hash=f"md5:{file.md5}",
            fname=file.name,
            path=folder,
            downloader=pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT_SECONDS),
        )
    # Temporary files are their owner's alone; a data folder may be shared.
    (folder / file.name).chmod(0o644)
