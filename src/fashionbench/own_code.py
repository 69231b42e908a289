"""A person's own code: found by file or package, told apart by its source, its faults explained."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from fashionbench.errors import UsageError

__all__ = ["digest", "locate", "takes", "told"]

_HERE = Path(__file__).parent


def locate(reference: str) -> Callable[..., Any]:
    """The class or function of `file.py:Name` or `package.module:Name`; UsageError if absent."""
    home, _, name = reference.rpartition(":")
    if not home or not name:
        raise UsageError(f"{reference!r} names nothing; write file.py:Name or package.module:Name.")
    module = _load_file(home) if home.endswith(".py") else _import(home, reference)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    own = [
        known
        for known, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
    there = f"it defines {', '.join(own)}" if own else "it defines no class and no function"
    raise UsageError(f"{home} has no class or function {name!r}; {there}.")


def _import(home: str, reference: str) -> ModuleType:
    try:
        return importlib.import_module(home)
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"{reference!r} cannot be loaded ({error}); write it as package.module:Name, "
            "importable from here, or as file.py:Name."
        ) from None


def _load_file(home: str) -> ModuleType:
    path = Path(home)
    if not path.is_file():
        raise UsageError(f"There is no file {home}; the source must be where it was.")
    name = f"fashionbench_own_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and typing look their own module up
    try:
        specification.loader.exec_module(module)
    except SyntaxError as error:
        raise UsageError(f"{home}, line {error.lineno}: {error.msg}.") from None
    except Exception as error:
        raise UsageError(f"{home} cannot be run: {told(error)}") from None
    return module


def digest(thing: Any, reference: str) -> str:
    """Of its source: of the whole file where one is named, else of the class's own text."""
    home = reference.rpartition(":")[0]
    if home.endswith(".py"):
        content = Path(home).read_bytes()
    else:
        try:
            content = inspect.getsource(thing).encode()
        except (OSError, TypeError):  # typed into a prompt, or compiled: told apart by name alone
            content = thing.__qualname__.encode()
    return hashlib.sha256(content).hexdigest()[:16]


def takes(build: Callable[..., Any]) -> str:
    """The arguments of a class or function, as a person writes them."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):
        return "what its documentation says"
    shown = [
        p.name if p.default is p.empty else f"{p.name}={p.default!r}"
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    return ", ".join(shown) or "none"


def told(error: Exception) -> str:
    """What went wrong, and where: the last line that is nobody else's."""
    message = " ".join(str(error).split()) or type(error).__name__
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in Path(frame.filename).parts
        and not Path(frame.filename).is_relative_to(_HERE)
        and not frame.filename.startswith("<")
    ]
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}: " if frames else ""
    return f"{place}{message.rstrip('.')}."
