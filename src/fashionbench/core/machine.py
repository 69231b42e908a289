"""Where and when a run takes place: the processor, versions, the time of day."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

__all__ = ["Environment", "describe_environment", "now", "processor", "processor_features"]


@dataclass(frozen=True)
class Environment:
    """Where a run took place."""

    versions: dict[str, str]
    """Of packages, by name, and of python."""
    platform: str
    processor: str
    threads: int
    """Those of torch on the CPU."""
    device: str
    """The name of the device, such as that of a GPU."""
    way: str = ""
    """How the run shared the machine: alone, or with how many others."""
    canary: str = ""
    """A digest of how one small training ended on this machine; "" where it was not made."""


def describe_environment(
    versions: Mapping[str, str], threads: int, device: str, way: str = ""
) -> Environment:
    """Describe the machine, with what the caller knows of packages and device."""
    return Environment(
        versions=dict(versions) | {"python": platform.python_version()},
        platform=platform.platform(terse=True),
        processor=processor(),
        threads=threads,
        device=device,
        way=way,
    )


@cache
def _facts_of_linux() -> dict[str, str]:
    """Read what Linux says of the processor; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return {}
    return {key.strip(): value for key, _, value in (line.partition(":") for line in lines)}


@cache
def processor() -> str:
    """Name the processor and, where the system tells, its widest vectors.

    A virtual machine's name for it is often that of a whole family: "AMD EPYC" with AVX-512 trains
    a CNN four times as fast as another with AVX2.
    """
    facts = _facts_of_linux()
    vectors = {"avx512f": "AVX-512", "avx2": "AVX2"}
    widest = next((vectors[flag] for flag in vectors if flag in facts.get("flags", "").split()), "")
    name = facts.get("model name", "").strip() or platform.processor() or platform.machine()
    return f"{name}, {widest}" if widest else name


@cache
def processor_features() -> str:
    """Name the processor and every instruction set that the system says it has."""
    return f"{processor()} {_facts_of_linux().get('flags', '')}"


def now() -> str:
    """Return the time of day in UTC, to the second, as ISO 8601 writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
