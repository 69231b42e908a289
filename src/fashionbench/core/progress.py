"""What a person sees while the program works: progress bars, and messages above them.

Messages are records of `logging` under the logger "fashionbench", one logger a module. Python
writes the warnings among them to standard error unless you configure `logging` otherwise;
`logging.getLogger("fashionbench").setLevel("ERROR")` silences them.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["progress_bar", "show_messages"]


def progress_bar(**options: Any) -> Any:
    """Return a tqdm bar, silent where nobody sees it: no terminal, no notebook, or TQDM_DISABLE."""
    from tqdm.auto import tqdm

    # None leaves it to tqdm, which is silent where standard error is no terminal.
    disable = "TQDM_DISABLE" in os.environ or None
    return tqdm(**{"leave": False} | options, disable=disable)


@contextmanager
def show_messages() -> Iterator[None]:
    """Write the package's messages to standard error, above the bars, while this lasts.

    Warnings are always written; what is merely good to know, only on a terminal.
    """
    logger, handler = logging.getLogger("fashionbench"), _AboveBars()
    before = logger.level
    logger.setLevel(logging.INFO if sys.stderr.isatty() else logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _AboveBars(logging.Handler):
    """Writes a message as a line of standard error and draws the bars again below it."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm.std import tqdm

        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:  # as every handler of logging does it
            self.handleError(record)
