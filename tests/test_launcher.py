"""What starts workers is read from text, and refused in a sentence."""

import pytest

from fashionbench.config.execution import Execution
from fashionbench.config.launcher import LAUNCHERS, LauncherChoice, read_launcher
from fashionbench.errors import UsageError


@pytest.mark.parametrize("name", [name for name in LAUNCHERS if name != "ray"])
def test_a_name_and_a_number_are_read(name: str) -> None:
    assert read_launcher(f"{name}:4") == LauncherChoice(name, 4)
    assert Execution(on=f"{name}:4").on == f"{name}:4"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kubernetes:4", "there are workers:4, slurm:16, ray and ray:ADDRESS"),
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


@pytest.mark.parametrize(
    ("text", "address"), [("ray", None), ("ray:10.0.0.1:6379", "10.0.0.1:6379")]
)
def test_ray_has_an_address_or_none(text: str, address: str | None) -> None:
    assert read_launcher(text).address == address
    assert Execution(on=text).on == text
