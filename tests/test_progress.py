"""Bars are seen on a terminal only."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
from fashionbench.progress import note, progress_bar
note("a word about it")
with progress_bar(total=3, desc="counting", leave=True) as bar:
    bar.update(3)
"""


def test_silent_where_standard_error_is_no_terminal() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_drawn_on_a_terminal() -> None:
    import pty
    import termios

    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    subprocess.run([sys.executable, "-c", PROGRAM], stderr=writer, check=True)
    os.close(writer)
    seen = b""
    while b"counting" not in seen:
        seen += os.read(reader, 4096)
    assert b"a word about it" in seen
    os.close(reader)
