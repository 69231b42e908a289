"""Where the runs of a comparison take place, if not in its own process: what starts workers."""

from dataclasses import dataclass

__all__ = ["LAUNCHERS", "LauncherChoice", "read_launcher"]

LAUNCHERS = {
    "workers": "processes on this machine",
    "slurm": "an array of jobs, on nodes that all see the run folder",
}
"""What can start workers, and what they are there."""


@dataclass(frozen=True)
class LauncherChoice:
    """What starts workers, and how many."""

    name: str
    count: int


def read_launcher(text: str) -> LauncherChoice:
    """Read what `--on` is given. Raises ValueError for what cannot be meant."""
    name, _, count = text.partition(":")
    if name not in LAUNCHERS:
        raise ValueError(f"there are {', '.join(f'{name}:4' for name in LAUNCHERS)}")
    if not count.isdecimal() or int(count) < 1:
        raise ValueError(f"a number of workers should follow, as in {name}:4")
    return LauncherChoice(name, int(count))
