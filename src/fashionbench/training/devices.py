"""Where the arithmetic happens: choosing a device, waiting for it, and its memory."""

import ctypes
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from fashionbench.config.study import DEVICES
from fashionbench.core.global_state import preserved, seed_python_and_numpy
from fashionbench.errors import UsageError

__all__ = [
    "describe_device",
    "free_memory",
    "reproducible",
    "resolve_device",
    "retain_freed_memory",
    "seed_generators",
    "synchronize",
    "threads_at_most",
]


def resolve_device(name: torch.device | str = "auto") -> torch.device:
    """Return the device of a name; `auto` is CUDA if there is one, else the CPU.

    MPS is taken only when asked for. Raises UsageError for a name that is not
    known or a device that this machine lacks.
    """
    if isinstance(name, str) and name not in DEVICES:
        raise UsageError(f"There is no device {name!r}; there are {', '.join(DEVICES)}.")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if (device.type == "cuda" and not torch.cuda.is_available()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    ):
        raise UsageError(
            f"This machine has no {device.type} device that torch can use; try --device auto."
        )
    return device


def synchronize(device: torch.device) -> None:
    """Wait until all work given to `device` is done; a clock is read only after this."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Within, have cuDNN give the same numbers each time; leave all generators as they were."""
    of_mps = torch.mps.get_rng_state() if device.type == "mps" else None
    cudnn = torch.backends.cudnn
    with (
        preserved(),
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        # What is not given here would be set to a default, which for `enabled` is False.
        cudnn.flags(
            enabled=cudnn.enabled,
            allow_tf32=cudnn.allow_tf32,
            benchmark=False,
            deterministic=True,
        ),
    ):
        try:
            yield
        finally:
            if of_mps is not None:
                torch.mps.set_rng_state(of_mps)


@contextmanager
def threads_at_most(count: int | None) -> Iterator[None]:
    """Within, share operations on the CPU among at most `count` threads; None is all of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, count or before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seed_generators(device: torch.device, seed: int) -> None:
    """Seed what layers draw from on `device` and on the CPU, and no other device's generator.

    Python's and NumPy's generators too: a person's own code may draw from those.
    """
    seed_python_and_numpy(seed)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def describe_device(device: torch.device) -> str:
    """Return the accelerator's own name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def free_memory(device: torch.device) -> int:
    """Return the bytes still to be had on `device`; a cautious guess where no system tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        # Not sysconf's free pages: those that cache files can be had as well.
        text = Path("/proc/meminfo").read_text("ascii")
        (kibibytes,) = re.findall(r"^MemAvailable: *(\d+) kB$", text, re.MULTILINE)
    except (OSError, ValueError):  # Windows, macOS
        return 4 << 30
    return min(1024 * int(kibibytes), _left_to_container())


def _left_to_container() -> int:
    """Return the bytes that a control group of Linux still allows; very many without a limit."""
    try:
        limit, used = (
            int(Path(f"/sys/fs/cgroup/memory.{name}").read_text("ascii"))
            for name in ("max", "current")
        )
    except (OSError, ValueError):  # none, or "max"
        return sys.maxsize
    return max(0, limit - used)


# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@cache
def retain_freed_memory() -> bool:
    """Have glibc reuse the memory of freed tensors instead of giving it back to the kernel.

    Without this every large activation is mapped, zeroed page by page and
    unmapped again at every step, which takes 10 to 25 % of a small CNN's time on
    the CPU. Holds for this process only, and costs it at most a gigabyte that it
    has used before. Return whether anything was set: not where the C library
    is another, nor where the person has set malloc's thresholds themselves.
    """
    chosen = any(name.startswith("MALLOC_") for name in os.environ)
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc" or chosen:
        return False
    if "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    libc = ctypes.CDLL(None)
    # 32 MiB is the highest mmap threshold that glibc accepts.
    return bool(
        libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20) and libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)
    )
