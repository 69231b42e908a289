"""Files of pictures: which they are, and where they lie in a folder.

A file is a picture if its name or its content says so, in any format that Pillow reads by itself,
or HEIC, which phones write and pillow-heif reads.
What is named like a picture and is none is a broken picture, which reading refuses.
"""

import os
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NoReturn

from fashionbench.core.names import portable_name, printable
from fashionbench.errors import DataError

__all__ = [
    "find_pictures",
    "formats",
    "is_housekeeping",
    "is_picture",
    "list_visible",
    "separate_pictures",
]

ELSEWHERE = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats that Pillow tells, and leaves to other programs to read."""
HOUSEKEEPING = {"__macosx", "@eadir", "desktop.ini", "icon\r", "thumbs.db"}
"""What archives, file managers and network drives leave among a person's files."""


@cache
def formats() -> tuple[str, ...]:
    """List the formats that are read, by Pillow's names."""
    from PIL import Image
    from pillow_heif import register_heif_opener

    Image.init()
    register_heif_opener()
    return tuple(name for name in Image.OPEN if name not in ELSEWHERE)


def is_picture(file: Path) -> bool:
    """Tell whether a file's name or its content is that of a picture.

    A pipe or a device is none: reading it may never end.
    """
    from PIL import Image

    if file.exists() and not file.is_file():
        return False
    known = formats()
    if Image.EXTENSION.get(file.suffix.lower()) in known:
        return True
    # Formats without a signature of their own see pictures in texts: their names must tell.
    signed = [name for name in known if Image.OPEN[name][1] is not None]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            Image.open(file, formats=signed).close()
    except Image.DecompressionBombError:
        return True
    except Exception:  # readers raise anything over what is no picture
        return False
    return True


def is_housekeeping(name: str) -> bool:
    """Tell whether a file or folder is hidden, or none that a person put there."""
    return name.startswith(".") or name.lower() in HOUSEKEEPING


def find_pictures(folder: Path) -> tuple[list[Path], list[Path]]:
    """Find the pictures in a folder and all folders in it, and the other files, by their names.

    Raises DataError for a folder that cannot be read.
    """
    files, seen = list[Path](), set[str]()
    for root, folders, names in os.walk(folder, onerror=_refuse_folder, followlinks=True):
        if (real := os.path.realpath(root)) in seen:  # a link to a folder around it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not is_housekeeping(name)]
        files += (Path(root, name) for name in names if not is_housekeeping(name))
    return separate_pictures(_in_order(files, folder))


def separate_pictures(files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Take the pictures among files apart from the others."""
    pictures, others = list[Path](), list[Path]()
    for file in files:
        (pictures if is_picture(file) else others).append(file)
    return pictures, others


def list_visible(folder: Path) -> list[Path]:
    """List what lies in a folder, in the order of names. Raises DataError if it cannot be read."""
    try:
        parts = [part for part in folder.iterdir() if not is_housekeeping(part.name)]
    except OSError as error:
        _refuse_folder(error)
    return _in_order(parts, folder)


def _refuse_folder(error: OSError) -> NoReturn:
    raise DataError(f"{printable(error.filename)} cannot be read ({error.strerror}).") from None


def _in_order(files: Iterable[Path], folder: Path) -> list[Path]:
    """Sort by names within the folder, the same on every machine."""
    return sorted(files, key=lambda file: (portable_name(file, folder).split("/"), str(file)))
