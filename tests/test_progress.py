"""Bars are seen on a terminal only."""

import os
import subprocess
import sys

import pytest
from factories import seen_on_a_terminal

PROGRAM = """
from fashionbench.core.progress import note, progress_bar
note("a word about it")
with progress_bar(total=3, desc="counting", leave=True) as bar:
    bar.update(3)
"""


def test_silent_where_standard_error_is_no_terminal() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("silenced", [False, True])
def test_drawn_on_a_terminal_unless_silenced(silenced: bool) -> None:
    surroundings = os.environ | ({"TQDM_DISABLE": "1"} if silenced else {})
    seen = seen_on_a_terminal(
        lambda terminal: subprocess.run(
            [sys.executable, "-c", PROGRAM], stderr=terminal, env=surroundings, check=True
        )
    )
    assert b"a word about it" in seen
    assert (b"counting" in seen) == (not silenced)
