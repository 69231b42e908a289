"""Names of files as text: the same on every machine, and such as can be written anywhere."""

import unicodedata
from pathlib import Path

__all__ = ["portable_name", "printable"]


def portable_name(file: Path, folder: Path) -> str:
    """Name a file within a folder in one Unicode form: macOS takes é apart, others do not."""
    return unicodedata.normalize("NFC", file.relative_to(folder).as_posix())


def printable(name: object) -> str:
    r"""Write what is no UTF-8 in a name, which may be any bytes, as \xe9."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
