"""What can go wrong, told in one sentence each: what is wrong, what is allowed, what to do.

Every error that a user can cause is one of these. The command line prints the
message alone, without a traceback, and ends with the class's exit code.
"""

__all__ = [
    "DataError",
    "FashionbenchError",
    "Interrupted",
    "MissingPackage",
    "StoreError",
    "UsageError",
]


class FashionbenchError(Exception):
    """The root of them all; exit code 1."""

    exit_code = 1


class UsageError(FashionbenchError):
    """An invalid request: an unknown name, a value out of range; exit code 2."""

    exit_code = 2


class MissingPackage(UsageError):
    """A package of an optional extra is not installed; exit code 2."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs {package}, which is not installed; in your clone of fashionbench, "
            f'install it by: pip install ".[{extra}]"'
        )


class DataError(FashionbenchError):
    """The data set is absent, damaged or another one; exit code 1."""


class StoreError(FashionbenchError):
    """A run folder that cannot be read or written; exit code 1."""


class Interrupted(FashionbenchError):
    """Stopped by the person with Ctrl-C; finished runs are kept; exit code 130."""

    exit_code = 130
