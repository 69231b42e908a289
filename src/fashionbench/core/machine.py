"""Where and when a run takes place: the processor, versions, the time of day."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["environment", "now", "processor"]


def environment(versions: Mapping[str, str], **hardware: Any) -> dict[str, Any]:
    """Where a run took place: versions, machine, and what the caller knows of the device."""
    return {
        "versions": dict(versions) | {"python": platform.python_version()},
        "platform": platform.platform(terse=True),
        "processor": processor(),
        **hardware,
    }


@cache
def processor() -> str:
    """The processor's name and, where the system tells, its widest vectors.

    A virtual machine's name for it is often that of a whole family: "AMD EPYC" with AVX-512 trains
    a CNN four times as fast as another with AVX2.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    facts = {key.strip(): value for key, _, value in (line.partition(":") for line in lines)}
    vectors = {"avx512f": "AVX-512", "avx2": "AVX2"}
    widest = next((vectors[flag] for flag in vectors if flag in facts.get("flags", "").split()), "")
    name = facts.get("model name", "").strip() or platform.processor() or platform.machine()
    return f"{name}, {widest}" if widest else name


def now() -> str:
    """The time of day in UTC, to the second, as ISO 8601 writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
