"""Files that are whole or absent, and names that every system accepts."""

import hashlib
import os
import platform
import re
from contextlib import suppress
from pathlib import Path

from fashionbench.errors import StoreError, UsageError

__all__ = ["as_path", "list_folder", "make_folder", "remove_if_empty", "slug", "write_atomically"]

LONGEST_NAME = 170
"""Characters; file systems allow 255, and seed, key, suffix and a temporary name come on top."""


def as_path(name: str, value: object) -> Path:
    """Return a path that a person gave, as text or not. Raises UsageError for anything else."""
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"{name} is {value!r}, but should be a path.")
    return Path(value)


def write_atomically(path: Path, content: bytes) -> None:
    """Write under a temporary name, then rename: no reader ever sees half a file.

    Raises StoreError where the folder cannot be written or the disk is full.
    """
    try:
        if path.is_dir():
            raise StoreError(f"{path} is a folder; name a file to write.")
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_and_rename(path, content)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror}). What is finished is kept; free some "
            "space or make the folder writable, and give the same command again."
        ) from None


def _write_and_rename(path: Path, content: bytes) -> None:
    # Two machines may share a folder, and processes of theirs have the same number.
    temporary = path.with_name(f".{path.name}.{slug(platform.node())}-{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the new name with no content
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def list_folder(folder: Path) -> list[Path]:
    """List what is in a folder; nothing where there is no folder."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def make_folder(folder: Path) -> None:
    """Make a run folder if it is not there. Raises StoreError if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The run folder {folder} cannot be written ({error.strerror}); choose another with "
            "--out."
        ) from None


def remove_if_empty(folder: Path) -> None:
    """Remove a folder with nothing but hidden files, such as interrupted writes leave."""
    with suppress(OSError):  # not there, or not empty
        for path in folder.iterdir():
            if path.name.startswith("."):
                path.unlink()
        folder.rmdir()


def slug(text: str) -> str:
    """Turn text into a part of a file's name; a digest replaces the end of a long one."""
    name = re.sub(r"[^A-Za-z0-9.=-]+", "-", text)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
