"""Progress bars, shown only where somebody can see them: a terminal or a notebook."""

import os
import sys
from typing import Any

__all__ = ["note", "progress_bar", "say"]


def progress_bar(**options: Any) -> Any:
    """A tqdm bar on a terminal or in a notebook; elsewhere, or by TQDM_DISABLE, a silent one."""
    from tqdm.auto import tqdm

    # None leaves it to tqdm, which is silent where standard error is no terminal.
    disable = "TQDM_DISABLE" in os.environ or None
    return tqdm(**{"leave": False} | options, disable=disable)


def say(text: str) -> None:
    """A line on standard error for what must be told in any case, bars or none."""
    from tqdm.std import tqdm

    tqdm.write(text, file=sys.stderr)


def note(text: str) -> None:
    """A line above the bars, where there are bars."""
    from tqdm.std import tqdm

    if sys.stderr.isatty():
        tqdm.write(text, file=sys.stderr)
