"""Progress bars, shown only where somebody can see them: a terminal or a notebook."""

import sys
from typing import Any

__all__ = ["note", "progress_bar", "say"]


def progress_bar(**options: Any) -> Any:
    """A tqdm bar on standard error or in a notebook; elsewhere one that stays silent."""
    from tqdm.autonotebook import tqdm
    from tqdm.std import tqdm as terminal_tqdm

    visible = tqdm is not terminal_tqdm or sys.stderr.isatty()
    return tqdm(**{"leave": False} | options, disable=not visible)


def say(text: str) -> None:
    """A line on standard error for what must be told in any case, bars or none."""
    from tqdm.std import tqdm

    tqdm.write(text, file=sys.stderr)


def note(text: str) -> None:
    """A line above the bars, where there are bars."""
    from tqdm.std import tqdm

    if sys.stderr.isatty():
        tqdm.write(text, file=sys.stderr)
