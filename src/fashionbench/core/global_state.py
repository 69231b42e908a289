"""The state that a process shares: generators, defaults and switches, restored after custom code.

A custom file may call manual_seed, set a default type or switch gradients off, at its top or where
it builds a network. Nothing that follows in the same process may notice. The state of NumPy and
torch is restored only if they are loaded: nothing is imported for it.
"""

import io
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

__all__ = ["generator_states", "preserved", "seed_python_and_numpy", "seeded", "silent"]

_SILENCE = threading.RLock()


def seed_python_and_numpy(seed: int) -> None:
    """Seed the generators behind `random.random` and, where NumPy is loaded, `np.random.rand`."""
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed % 2**32)


def generator_states() -> dict[str, Any]:
    """Return the states of the generators that members of a stack would share, by library."""
    states: dict[str, Any] = {"Python's random": random.getstate()}
    if numpy := sys.modules.get("numpy"):
        kind, keys, *rest = numpy.random.get_state()
        states["numpy.random"] = (kind, keys.tobytes(), *rest)
    return states


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from generators seeded with `seed` within, and leave all that is global as it was."""
    with preserved():
        seed_python_and_numpy(seed)
        if torch := sys.modules.get("torch"):
            # Not torch.manual_seed, which wakes every accelerator.
            torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def silent() -> Iterator[None]:
    """Suppress what is printed within, as by a network that is built only to be examined.

    Threads take turns, or the last to leave would restore the output that another has suppressed.
    """
    with _SILENCE, redirect_stdout(io.StringIO()):
        yield


@contextmanager
def preserved() -> Iterator[None]:
    """Restore, at the end, all that custom code may have set for the whole process."""
    with warnings.catch_warnings(), ExitStack() as later:
        later.callback(random.setstate, random.getstate())
        later.callback(os.chdir, Path.cwd())
        later.callback(_restore_path, sys.path, sys.path[:])
        if numpy := sys.modules.get("numpy"):
            later.callback(numpy.random.set_state, numpy.random.get_state())
            later.callback(lambda settings: numpy.seterr(**settings), numpy.geterr())
        if torch := sys.modules.get("torch"):
            _preserve_torch(torch, later)
        yield


def _restore_path(path: list[str], before: list[str]) -> None:
    sys.path = path
    path[:] = before


def _preserve_torch(torch: Any, later: ExitStack) -> None:
    later.callback(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_initialized():
        later.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    switches: list[tuple[Callable[[Any], Any], Any]] = [
        (torch.set_default_dtype, torch.get_default_dtype()),
        (torch.set_grad_enabled, torch.is_grad_enabled()),
        (torch.set_float32_matmul_precision, torch.get_float32_matmul_precision()),
        (torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode()),
        (torch.autograd.set_detect_anomaly, torch.is_anomaly_enabled()),
        (torch.set_num_threads, torch.get_num_threads()),
        (torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled()),
        (_set_default_device, torch.get_default_device()),
    ]
    for put_back, before in switches:
        later.callback(put_back, before)
    cudnn = torch.backends.cudnn
    for name in ("enabled", "benchmark", "deterministic", "allow_tf32"):
        later.callback(setattr, cudnn, name, getattr(cudnn, name))


def _set_default_device(device: Any) -> None:
    # Only where it was changed: a default that is set, even to the CPU, slows every operation.
    import torch

    if torch.get_default_device() != device:
        torch.set_default_device(None if device.type == "cpu" else device)
