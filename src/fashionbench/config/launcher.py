"""Where the runs of a comparison take place, if not in its own process: what starts workers."""

from dataclasses import dataclass

__all__ = ["LAUNCHERS", "LauncherChoice", "read_launcher"]

LAUNCHERS = {
    "workers": "processes on this machine",
    "slurm": "an array of jobs, on nodes that all see the run folder",
    "ray": "tasks of a cluster that needs no shared folder",
}
"""What can start workers, and what they are there."""
RAY_SHARES = 16
"""The parts into which work is divided for Ray, which decides how many tasks run at once."""


@dataclass(frozen=True)
class LauncherChoice:
    """What starts workers, and how many."""

    name: str
    count: int
    address: str | None = None
    """Of a cluster of Ray's; None for the one that runs here, or a new one."""


def read_launcher(text: str) -> LauncherChoice:
    """Parse the value of `--on`. Raises ValueError, which says what is allowed, for any other."""
    name, _, count = text.partition(":")
    if name == "ray":
        return LauncherChoice(name, RAY_SHARES, count or None)
    if name not in LAUNCHERS:
        raise ValueError("there are workers:4, slurm:16, ray and ray:ADDRESS")
    if not count.isdecimal() or int(count) < 1:
        raise ValueError(f"a number of workers should follow, as in {name}:4")
    return LauncherChoice(name, int(count))
