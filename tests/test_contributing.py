"""What CONTRIBUTING shows how to add can be added just so, and works."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOW_TO = re.findall(
    r"^### (.+?)\n.*?```diff\n(.*?)```\n\n```\nfashionbench (.*?)\n```",
    (ROOT / "CONTRIBUTING.md").read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "command"), [of[1:] for of in HOW_TO], ids=[of[0] for of in HOW_TO]
)
def test_the_patch_applies_and_its_command_works(patch: str, command: str, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignored)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, text=True, check=True)
    answer = subprocess.run(
        [sys.executable, "-m", "fashionbench", *shlex.split(command)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr


def test_there_is_a_how_to_for_each_of_three_things() -> None:
    assert [of[0] for of in HOW_TO] == ["A new model", "A new augmentation", "A new command"]
