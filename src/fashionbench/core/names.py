"""Names as text: of files, the same on every machine; of classes and functions, to find them by."""

import unicodedata
from pathlib import Path
from typing import Any

from fashionbench.errors import UsageError

__all__ = ["find_code_name", "name_code", "portable_name", "printable"]


def find_code_name(thing: Any) -> str | None:
    """Return the name `module:Name` by which another process finds a class or function again.

    None for what has no such name, such as a lambda, a local function or an instance.
    """
    name = getattr(thing, "__qualname__", None)
    if name is None or "<" in name or not callable(thing):
        return None
    return f"{thing.__module__}:{name}"


def name_code(setting: str, value: Any) -> Any:
    """Replace a setting's value that is a class or function by its name; return any other as it is.

    Raises UsageError for a class or function that has no name to be found by.
    """
    if not callable(value):
        return value
    name = find_code_name(value)
    if name is None:
        raise UsageError(
            f"The {setting} cannot be found again by its name; give a class or function that is "
            "defined at the top level of a module, without calling it."
        )
    return name


def portable_name(file: Path, folder: Path) -> str:
    """Name a file within a folder in one Unicode form: macOS takes é apart, others do not."""
    return unicodedata.normalize("NFC", file.relative_to(folder).as_posix())


def printable(name: object) -> str:
    r"""Write what is no UTF-8 in a name, which may be any bytes, as \xe9."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
