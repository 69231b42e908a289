"""Bars are seen on a terminal only; messages go through logging, and can be silenced."""

import os
import subprocess
import sys

import pytest
from factories import seen_on_a_terminal

PROGRAM = """
import logging
from fashionbench.core.progress import progress_bar, show_messages
logger = logging.getLogger("fashionbench.some.module")
with show_messages(), progress_bar(total=3, desc="counting", leave=True) as bar:
    logger.info("good to know")
    logger.warning("to be known, 100 % of it")
    bar.update(3)
logger.info("afterwards")
"""
WARNING = """
import logging, sys
{configured}
logging.getLogger("fashionbench.some.module").warning("to be known")
"""


def test_where_standard_error_is_no_terminal_only_warnings_are_written() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "to be known, 100 % of it\n")


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("silenced", [False, True])
def test_bars_are_drawn_on_a_terminal_unless_silenced_with_messages_above(silenced: bool) -> None:
    surroundings = os.environ | ({"TQDM_DISABLE": "1"} if silenced else {})
    seen = seen_on_a_terminal(
        lambda terminal: subprocess.run(
            [sys.executable, "-c", PROGRAM], stderr=terminal, env=surroundings, check=True
        )
    )
    lines = seen.replace(b"\r", b"\n").splitlines()
    assert b"good to know" in lines
    assert b"to be known, 100 % of it" in lines  # alone on its line, whatever the bar does
    assert (b"counting" in seen) == (not silenced)
    assert b"afterwards" not in seen


@pytest.mark.parametrize(
    ("configured", "written"),
    [
        ("", "to be known\n"),
        ("logging.getLogger('fashionbench').setLevel('ERROR')", ""),
        ("logging.getLogger('fashionbench').addHandler(logging.NullHandler())", ""),
        (
            "logging.basicConfig(format='%(name)s: %(message)s')",
            "fashionbench.some.module: to be known\n",
        ),
    ],
)
def test_who_imports_the_package_sees_warnings_and_can_silence_or_redirect_them(
    configured: str, written: str
) -> None:
    program = "import fashionbench\n" + WARNING.format(configured=configured)
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, written)
