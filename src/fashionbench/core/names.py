"""Names as text: of files the same on every machine, of a person's code such as finds it again."""

import unicodedata
from pathlib import Path
from typing import Any

from fashionbench.errors import UsageError

__all__ = ["name_code", "portable_name", "printable"]


def name_code(setting: str, value: Any) -> Any:
    """Name a setting's value that is a class or function, as `module:Name`; leave any other.

    Raises UsageError for one that has no such name, such as a lambda.
    """
    if not callable(value):
        return value
    name = getattr(value, "__qualname__", "<")
    if "<" in name:
        raise UsageError(
            f"The {setting} cannot be found again by its name; give a class or function that is "
            "defined at the top level of a module, without calling it."
        )
    return f"{value.__module__}:{name}"


def portable_name(file: Path, folder: Path) -> str:
    """Name a file within a folder in one Unicode form: macOS takes é apart, others do not."""
    return unicodedata.normalize("NFC", file.relative_to(folder).as_posix())


def printable(name: object) -> str:
    r"""Write what is no UTF-8 in a name, which may be any bytes, as \xe9."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
