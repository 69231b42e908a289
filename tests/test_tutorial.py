"""The tutorial is followed from top to bottom in an empty folder, as a reader would."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"


class Block(NamedTuple):
    """A fenced block: its language, the file that it is to be saved as, and its text."""

    language: str
    file: str
    text: str


def blocks() -> list[Block]:
    fence = re.compile(r'^```(\w*)(?: title="([\w.]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    return [Block(*match.groups(default="")) for match in fence.finditer(TUTORIAL.read_text())]


def masked(output: str) -> list[str]:
    """Return the lines without what differs between machines: numbers, spacing, how many are timed.

    With a C compiler more runs of the tutorial's own network are timed.
    """
    lines = re.sub(r"\(\d+\)", "", output).splitlines()
    return [" ".join(re.sub(r"[+-]?\d[\d.,]*", "#", line).split()) for line in lines]


@pytest.mark.slow
def test_every_command_of_the_tutorial_runs_and_prints_what_it_shows(tmp_path: Path) -> None:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
    }
    printed: list[str] = []
    for block in blocks():
        if block.language == "sh":
            answer = subprocess.run(
                ["bash", "-e", "-c", block.text],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert answer.returncode == 0, (block.text, answer.stderr)
            printed = masked(answer.stdout)
        elif block.language == "python":
            (tmp_path / block.file).write_text(block.text)
        else:
            assert block.language == "text"
            for line in masked(block.text):
                assert line in printed, (line, printed)
    assert (tmp_path / "runs" / "silhouettes" / "report.html").is_file()
    assert (tmp_path / "curves.png").is_file()


def test_every_block_of_the_tutorial_is_a_command_a_file_or_an_output() -> None:
    kinds = [(block.language, bool(block.file), bool(block.text.strip())) for block in blocks()]
    assert set(kinds) == {("sh", False, True), ("python", True, True), ("text", False, True)}
    assert len(kinds) == TUTORIAL.read_text().count("```") / 2
