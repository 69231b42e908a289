"""Compile the C source for this machine's processor, once, and load it.

What is compiled stays in the user's cache under a digest of the source, the compiler and the
processor. Without a compiler, or with one that fails, there is no library, and torch trains.
"""

import ctypes
import hashlib
import logging
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pooch
from filelock import FileLock

from fashionbench.core.machine import processor_features

__all__ = ["SWITCH", "load_library"]

SWITCH = "FASHIONBENCH_KERNELS"
"""Set to "off", this environment variable has torch train everything."""
SOURCE = Path(__file__).with_name("network.c")
FLAGS = ("-O3", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-shared")
FOR_THIS_PROCESSOR = ("-march=native", "-mcpu=native")
"""What compilers call it; which of them is understood depends on the processor."""
log = logging.getLogger(__name__)


def load_library() -> ctypes.CDLL | None:
    """Return the compiled library; None where it is switched off or cannot be had.

    Why it cannot is said once, by the log.
    """
    return None if os.environ.get(SWITCH) == "off" else _load()


@cache
def _load() -> ctypes.CDLL | None:
    try:
        return _declare(ctypes.CDLL(str(_compile(_compiler()))))
    except (OSError, ValueError, subprocess.SubprocessError) as error:  # ValueError: CC's quotes
        log.info("Small networks are trained by torch alone, since %s", _reason(error))
        return None


def _compiler() -> list[str]:
    """Give the command that compiles: what CC says, arguments too, or else the first there is."""
    named = shlex.split(os.environ.get("CC", ""))
    for command in [named] if named else [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(command[0]) and sys.platform != "win32":
            return command
    raise OSError("there is no C compiler (gcc or clang).")


def _compile(compiler: list[str]) -> Path:
    """Compile the source, unless that was done before, and give the library's path."""
    version = _run([*compiler, "--version"])
    flags = " ".join([*compiler[1:], *FLAGS])
    text = "\n".join([SOURCE.read_text("utf-8"), flags, version, processor_features()])
    folder = Path(pooch.os_cache("fashionbench")) / "kernels"
    library = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.so"
    if library.is_file():
        return library
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # of several processes that begin at once, one compiles
        if not library.is_file():
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                made = Path(scratch) / library.name
                _compile_to(made, compiler)
                made.replace(library)
    return library


def _compile_to(library: Path, compiler: list[str]) -> None:
    command = [*compiler, *FLAGS, str(SOURCE), "-o", str(library), "-lm", "-lpthread"]
    for flag in FOR_THIS_PROCESSOR:
        try:
            _run([*command, flag])
            return
        except subprocess.CalledProcessError:
            continue
    _run(command)


def _run(command: list[str]) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, errors="replace", timeout=120
    ).stdout


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        first = next(iter(error.stderr.splitlines()), "it says nothing")
        return f"the compiler {error.cmd[0]} fails: {first}"
    return str(error)


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library.team_new.argtypes = [pointer, *[number] * 4]
    library.team_new.restype = pointer
    library.team_free.argtypes = [pointer]
    library.team_free.restype = None
    library.team_answer.argtypes = [pointer, pointer, pointer, number, pointer]
    library.team_answer.restype = None
    library.team_step.argtypes = [*[pointer] * 4, number, *[pointer] * 3, ctypes.c_float, pointer]
    library.team_step.restype = None
    return library
