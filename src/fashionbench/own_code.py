"""A person's own code: found by file or package, told apart by its source, its faults explained."""

import ast
import dis
import hashlib
import importlib
import importlib.util
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from fashionbench.errors import UsageError

__all__ = ["digest", "digest_file", "is_own", "locate", "takes", "told"]

_HERE, _PYTHON = Path(__file__).parent, Path(sysconfig.get_path("stdlib"))


def locate(reference: str) -> Callable[..., Any]:
    """The class or function of `file.py:Name` or `package.module:Name`; UsageError if absent."""
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
    there = f"it defines {', '.join(own)}" if own else "it defines no class and no function"
    raise UsageError(f"{home} has no class or function {name!r}; {there}.")


def _import(home: str, reference: str) -> ModuleType:
    try:
        return importlib.import_module(home)
    except (ImportError, ValueError, TypeError) as error:
        raise UsageError(
            f"{reference!r} cannot be loaded ({error}); write it as package.module:Name of an "
            "installed package, or as file.py:Name."
        ) from None
    except (Exception, SystemExit) as error:
        raise UsageError(f"{home} cannot be run: {told(error)}") from None


def _load_file(home: str) -> ModuleType:
    path = Path(home)
    if not path.is_file():
        raise _missing(home)
    name = f"fashionbench_own_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
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
        raise UsageError(f"{home} cannot be run: {told(error)}") from None
    return module


def digest(thing: Any, reference: str) -> str:
    """Of its source, and after a `.` of what that refers to in a person's other code, if anything.

    Where a file is named all of it counts; else the text of the class or function itself.
    """
    home = reference.rpartition(":")[0]
    if home.endswith(".py"):
        content, there = digest_file(home), thing.__module__
    else:
        content, there = _short_hash(_text(thing).encode()), None
    others = [text for module, text in _referred_to(thing) if module != there]
    return f"{content}.{_short_hash(''.join(others).encode())}" if others else content


def digest_file(path: str) -> str:
    """Of a source file, which is not run. Raises UsageError if it is not there."""
    try:
        return _short_hash(Path(path).read_bytes())
    except OSError:
        raise _missing(path) from None


def _missing(path: str) -> UsageError:
    return UsageError(f"There is no file {path}; give the source's path, or put it back.")


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _text(thing: Any) -> str:
    """The source of a class or function; of one typed into a prompt, what it was compiled to."""
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        codes = [code for function in _functions(thing) for code in _codes(function.__code__)]
        compiled = [f"{code.co_code.hex()} {code.co_names} {_literals(code)}" for code in codes]
        return " ".join([thing.__qualname__, *compiled])


def _referred_to(thing: Any) -> list[tuple[str, str]]:
    """Module and text of each own class, function and constant that `thing` needs, by name."""
    found: dict[str, tuple[str, str]] = {}
    waiting, seen = [thing], {id(thing)}
    while waiting:
        for name, module, value in _names_in(waiting.pop()):
            if isinstance(value, type) or inspect.isfunction(value):
                if is_own(value) and id(value) not in seen:
                    seen.add(id(value))
                    waiting.append(value)
                    module = value.__module__
                    found[f"{module}:{value.__qualname__}"] = module, _text(value)
            elif _is_literal(value):
                found[f"{module}:{name}"] = module, f"{name}={value!r}\n"
    return [found[key] for key in sorted(found)]


def _names_in(thing: Any) -> Iterator[tuple[str, str, Any]]:
    """Each global name that a class or function uses: the name, its module, its value."""
    for base in thing.__bases__ if isinstance(thing, type) else ():
        yield base.__name__, base.__module__, base
    for function in _functions(thing):
        codes = _codes(function.__code__)
        names = {name for code in codes for name in code.co_names} - _assigned(codes)
        spaces = [function.__globals__]
        spaces += [
            vars(value)
            for name in names & function.__globals__.keys()
            if isinstance(value := function.__globals__[name], ModuleType) and is_own(value)
        ]
        for space in spaces:
            for name in names & space.keys():
                yield name, space["__name__"], space[name]


def _functions(thing: Any) -> list[FunctionType]:
    """A function itself; of a class those that it defines, also behind its decorators."""
    parts = vars(thing).values() if isinstance(thing, type) else [thing]
    inner = [getattr(part, "fget", None) or getattr(part, "__func__", part) for part in parts]
    return [part for part in map(inspect.unwrap, inner) if inspect.isfunction(part)]


def _codes(code: CodeType) -> list[CodeType]:
    """Of a function and of the functions within it."""
    within = [part for part in code.co_consts if isinstance(part, CodeType)]
    return [code, *(deeper for part in within for deeper in _codes(part))]


def _assigned(codes: Sequence[CodeType]) -> set[str]:
    """Global names that code gives another value, such as counters: those are no constants."""
    instructions = (step for code in codes for step in dis.get_instructions(code))
    return {step.argval for step in instructions if step.opname == "STORE_GLOBAL"}


def _literals(code: CodeType) -> list[Any]:
    return [constant for constant in code.co_consts if _is_literal(constant)]


def _is_literal(value: Any) -> bool:
    """Whether it never changes, and its text says all of it, the same in every process."""
    if not isinstance(value, (bool, int, float, str, tuple)):
        return False
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False


def is_own(thing: Any) -> bool:
    """Whether a module, or what a class or function was defined in, is a person's own code.

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


def told(error: BaseException) -> str:
    """What went wrong, and where: the last line that is nobody else's."""
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, SystemExit):
        message = f"it ends the program (exit code {error.code})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not _is_others(frame.filename) and not frame.filename.startswith("<")
    ]
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}: " if frames else ""
    return f"{place}{message.rstrip('.')}."
