"""What can go wrong, told in one sentence each: what is wrong, what is allowed, what to do.

Every error that a user can cause is one of these. The command line prints the
message alone, without a traceback, and ends with the class's exit code.
"""

__all__ = ["DataError", "FashionbenchError", "Interrupted", "StoreError", "UsageError"]


class FashionbenchError(Exception):
    """The root of them all; exit code 1."""

    exit_code = 1


class UsageError(FashionbenchError):
    """A request that cannot be meant: an unknown name, a value out of range; exit code 2."""

    exit_code = 2


class DataError(FashionbenchError):
    """The data set is absent, damaged or another one; exit code 1."""


class StoreError(FashionbenchError):
    """A run folder that cannot be read or written; exit code 1."""


class Interrupted(FashionbenchError):
    """Stopped by the person with Ctrl-C; finished runs are kept; exit code 130."""

    exit_code = 130
