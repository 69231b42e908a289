"""A person's own code: found by file or package, run without side effects, its errors explained.

A process runs a file once, and again only if it, a module beside it or what it read has changed:
so everything built from it is of one class. While the file runs, and while something is built from
it, modules beside it can be imported, as when Python runs it. They are kept apart from modules of
the same name beside another file.
"""

import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from fashionbench.core.global_state import seeded
from fashionbench.errors import UsageError

__all__ = [
    "describe_arguments",
    "describe_error",
    "digest_file",
    "find_file_module",
    "importable_neighbours",
    "is_own",
    "list_arguments",
    "list_classes",
    "locate",
    "run_anew",
]

# The folder of the whole package.
_HERE, _PYTHON = Path(__file__).parent.parent, Path(sysconfig.get_path("stdlib"))
_MESSAGE = 300
"""Characters of an error's message that are shown: some of torch's fill pages."""
_PREFIX = "fashionbench_own_"
"""Begins the name under which a person's file is a module."""


@dataclass
class _Loaded:
    """A person's file as it was run, and what it depended on then."""

    module: ModuleType
    files: dict[Path, str]
    """Digests of itself, of the modules beside it and of what it read while it ran."""
    folder: Path
    """The working folder."""
    variables: dict[str, str]
    """Those of the environment that its text, or that of a module beside it, mentions."""

    def is_current(self) -> bool:
        """Tell whether running the file again would find all as it was."""
        return (
            all(_digest_if_there(file) == digest for file, digest in self.files.items())
            and self.folder == Path.cwd()
            and self.variables == _mentioned_variables(self.files)
        )


_loaded: dict[Path, _Loaded] = {}
_neighbours: dict[Path, dict[str, ModuleType]] = {}
"""Of each folder: the modules that were imported from it while a file in it was run."""
REQUIRED = "(required)"
"""Stands for the default of an argument that has none."""
_opened: list[Any] | None = None
"""What is opened while a file is run; None while none is."""


def locate(reference: str) -> Callable[..., Any]:
    """Find the class or function of `file.py:Name` or `package.module:Name`.

    Raises UsageError if it is absent.
    """
    home, _, name = reference.rpartition(":")
    if not home or not name:
        raise UsageError(f"{reference!r} names nothing; write file.py:Name or package.module:Name.")
    module = _load_file(home) if home.endswith(".py") else _import(home, reference)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if hasattr(found, "forward") and not isinstance(found, type):
        raise UsageError(
            f"{reference} is a {type(found).__name__} already; name a class, or a function that "
            "makes one, so that each seed begins anew."
        )
    if callable(found):
        return found  # type: ignore[no-any-return]
    own = [
        known
        for known, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
    if home == "__main__":
        raise UsageError(
            f"{name} was defined in a script or a notebook, which is not known to this process; "
            "put it into a file and name it as file.py:Name."
        )
    there = f"it defines {', '.join(own)}" if own else "it defines no class and no function"
    raise UsageError(f"{home} has no class or function {name!r}; {there}.")


def list_classes(home: str) -> list[tuple[str, type]]:
    """List the classes that a person's file defines. Raises UsageError if it cannot be run."""
    module = _load_file(home)
    return [
        (name, value)
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]


@contextmanager
def run_anew() -> Iterator[None]:
    """Run a person's files once more within, as a new process would; then restore all as it was.

    Within, nothing is there that the use of a class has changed in it or in its file.
    """
    loaded, neighbours = _loaded.copy(), _neighbours.copy()
    modules = {name: part for name, part in sys.modules.items() if name.startswith(_PREFIX)}
    _loaded.clear()
    _neighbours.clear()
    try:
        yield
    finally:
        _loaded.clear()
        _loaded.update(loaded)
        _neighbours.clear()
        _neighbours.update(neighbours)
        sys.modules.update(modules)


def _import(home: str, reference: str) -> ModuleType:
    try:
        with seeded(0):
            return importlib.import_module(home)
    except (ImportError, ValueError, TypeError) as error:
        raise UsageError(
            f"{reference!r} cannot be loaded ({error}); write it as package.module:Name of an "
            "installed package, or as file.py:Name."
        ) from None
    except (Exception, SystemExit) as error:
        raise UsageError(f"{home} cannot be run: {describe_error(error)}") from None


def _load_file(home: str) -> ModuleType:
    path = Path(home).resolve()
    if not path.is_file():
        raise _missing(home)
    known = _loaded.get(path)
    if known is not None and known.is_current():
        return known.module
    if known is not None:
        _neighbours.pop(path.parent, None)  # one of them may be what has changed
    import torch  # noqa: F401 - so that what the file sets of it is put back

    with seeded(0), _noting_opened() as opened, _importable_from(path.parent):
        module = _run(home, path)
    sources = [path, *(Path(str(known.__file__)) for known in _neighbours[path.parent].values())]
    read = [file for file in map(_data_file, opened) if file]
    digests = {file: _digest_if_there(file) for file in [*sources, *read]}
    _loaded[path] = _Loaded(module, digests, Path.cwd(), _mentioned_variables(digests))
    return module


def _run(home: str, path: Path) -> ModuleType:
    name = _PREFIX + hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:8]
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and typing look their own module up
    try:
        specification.loader.exec_module(module)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise UsageError(f"{home}{line}: {error.msg}.") from None
    except (Exception, SystemExit) as error:
        more = ""
        if "relative import" in str(error):
            more = " It is part of a package: name it as package.module:Name."
        raise UsageError(f"{home} cannot be run: {describe_error(error)}{more}") from None
    return module


def importable_neighbours(reference: str) -> AbstractContextManager[None]:
    """Allow imports, within, of modules beside the file of `file.py:Name`, as when it was run."""
    home = reference.rpartition(":")[0]
    return _importable_from(Path(home).resolve().parent) if home.endswith(".py") else nullcontext()


@contextmanager
def _importable_from(folder: Path) -> Iterator[None]:
    known, names = _neighbours.setdefault(folder, {}), _names_in(folder)
    others = {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in names and is_own(module) and name != "__main__"
    }
    for name, module in others.items():
        if not _lies_in(module, folder):
            del sys.modules[name]
    before = {*sys.modules}
    sys.modules.update({name: module for name, module in known.items() if name not in before})
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the folder is a person's
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.dont_write_bytecode = bytecode
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        for name in {*sys.modules} - before:
            if _lies_in(sys.modules[name], folder) and not name.startswith(_PREFIX):
                known[name] = sys.modules.pop(name)
        sys.modules.update(others)


def _names_in(folder: Path) -> set[str]:
    """List what could be imported from a folder."""
    try:
        return {entry.name.removesuffix(".py") for entry in folder.iterdir()}
    except OSError:
        return set()


def _lies_in(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and not _is_others(file) and Path(file).is_relative_to(folder)


@contextmanager
def _noting_opened() -> Iterator[list[Any]]:
    global _opened
    _listen()
    before, _opened = _opened, []
    try:
        yield _opened
    finally:
        _opened = before


@cache
def _listen() -> None:
    """Hear of every file that is opened; Python never lets go of such a listener."""

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and _opened is not None:
            _opened.append(arguments)

    sys.addaudithook(hear)


def _data_file(opened: tuple[Any, ...]) -> Path | None:
    """Return the path of what was opened to be read, where it is a person's file and no code."""
    name, mode, *_ = opened
    if not isinstance(name, str | bytes | os.PathLike) or {*"wax+"} & {*(mode or "r")}:
        return None
    path = Path(os.fsdecode(name)).resolve()
    code = path.suffix in (".py", ".pyc", ".so")
    return path if path.is_file() and not code and not _is_others(str(path)) else None


def _mentioned_variables(files: Iterable[Path]) -> dict[str, str]:
    """Find the variables of the environment whose names stand in a source file."""
    texts = (file.read_text("utf-8", "replace") for file in files if file.suffix == ".py")
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    return {name: value for name, value in os.environ.items() if name in words}


def digest_file(path: str) -> str:
    """Digest a source file, which is not run. Raises UsageError if it is not there."""
    digest = _digest_if_there(Path(path))
    if not digest:
        raise _missing(path)
    return digest


def _digest_if_there(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def _missing(path: str) -> UsageError:
    return UsageError(f"There is no file {path}; give the source's path, or put it back.")


def find_file_module(thing: Any) -> ModuleType | None:
    """Return the module of the person's file that a class or function is from; None for others."""
    name = str(getattr(thing, "__module__", None))
    return sys.modules.get(name) if name.startswith(_PREFIX) else None


def is_own(thing: Any) -> bool:
    """Tell whether a module, or what a class or function was defined in, is a person's own code.

    That is a file, a notebook or a prompt, but not what comes with Python, an installed package,
    or this one.
    """
    name = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    file = getattr(sys.modules.get(str(name)), "__file__", None)
    return name == "__main__" or (file is not None and not _is_others(file))


def _is_others(file: str) -> bool:
    path = Path(file)
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    return bool(installed) or any(path.is_relative_to(place) for place in (_HERE, _PYTHON))


def describe_arguments(build: Callable[..., Any]) -> str:
    """List the arguments of a class or function, as a person writes them."""
    try:
        arguments = list_arguments(build)
    except UsageError:
        return "what its documentation says"
    shown = [
        name if value is REQUIRED else f"{name}={value!r}" for name, value in arguments.items()
    ]
    return ", ".join(shown) or "none"


def list_arguments(build: Callable[..., Any]) -> dict[str, Any]:
    """Return the arguments of a class or function with their defaults; REQUIRED where none is.

    Raises UsageError where Python does not know them, as of some functions written in C.
    """
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):
        name = getattr(build, "__qualname__", type(build).__name__)
        raise UsageError(
            f"The arguments of {name} are not known; name a class or function written in Python."
        ) from None
    return {
        p.name: REQUIRED if p.default is p.empty else p.default
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def describe_error(error: BaseException) -> str:
    """Say what went wrong, and where: the last line that is a person's own."""
    message = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    if isinstance(error, SystemExit):
        message = f"it ends the program (exit code {error.code})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not _is_others(frame.filename) and not frame.filename.startswith("<")
    ]
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}: " if frames else ""
    return f"{place}{message[:_MESSAGE]}{'…' if message[_MESSAGE:] else '.'}"
