"""What starts workers is read from text, and refused in a sentence."""

import pytest

from fashionbench.config.launcher import LAUNCHERS, LauncherChoice, read_launcher
from fashionbench.config.study import Execution
from fashionbench.errors import UsageError


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_name_and_a_number_are_read(name: str) -> None:
    assert read_launcher(f"{name}:16") == LauncherChoice(name, 16)
    assert Execution(on=f"{name}:16").on == f"{name}:16"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kubernetes:4", "there are workers:4, slurm:4"),
        ("", "there are workers:4"),
        ("workers", "a number of workers should follow, as in workers:4"),
        ("workers:", "a number of workers"),
        ("workers:0", "a number of workers"),
        ("workers:-1", "a number of workers"),
        ("slurm:many", "a number of workers should follow, as in slurm:4"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=f"compare: on is '{text}', but {told}"):
        Execution.checked({"on": text}, "compare")
