"""The source of a person's class or function, and all of that person's code and values it uses.

A digest of the source tells runs of an edited model from those before. The values of global names
say what the source does not: what was read from a file or the environment.
"""

import ast
import dis
import hashlib
import inspect
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from fashionbench.core.own_code import digest_file, is_own

__all__ = ["Source", "digest_source", "digest_values", "global_values"]


@dataclass(frozen=True)
class Source:
    """Digests of all that a person's code is made of; all are empty where there is none.

    `str` writes them in one text, as records hold them and job keys hash them: text, `.others`,
    `~values`, `+weights`.
    """

    text: str = ""
    """Of the source itself."""
    others: str = ""
    """Of a person's other code that it uses."""
    values: str = ""
    """Of global values and, for a model, of what is built: structure, names, shapes, attributes."""
    weights: str = ""
    """Of the file of weights that a model begins with."""

    def __str__(self) -> str:
        others = f".{self.others}" if self.others else ""
        values = f"~{self.values}" if self.values else ""
        weights = f"+{self.weights}" if self.weights else ""
        return f"{self.text}{others}{values}{weights}"

    @classmethod
    def parse(cls, text: str) -> "Source":
        """Read what `str` wrote."""
        rest, _, weights = text.partition("+")
        rest, _, values = rest.partition("~")
        own, _, others = rest.partition(".")
        return cls(own, others, values, weights)


def digest_source(thing: Any, reference: str) -> Source:
    """Digest the text of a class or function, and what that refers to in a person's other code.

    Where a file is named all of it counts; else the text of the class or function itself.
    """
    home = reference.rpartition(":")[0]
    if home.endswith(".py"):
        content, there = digest_file(home), thing.__module__
    else:
        content, there = _short_hash(_text(thing).encode()), None
    others = [text for module, text in _referred_to(thing) if module != there]
    return Source(content, _short_hash("".join(others).encode()) if others else "")


def global_values(thing: Any) -> dict[str, str]:
    """Describe the values of all global names that `thing` needs, wherever they come from."""
    from torch import Tensor

    from fashionbench.core.snapshot import fingerprint, is_data, summary

    there = f"{getattr(thing, '__module__', '')}:"  # whose name says where the file lies
    return {
        key.removeprefix(there): summary(value) if isinstance(value, Tensor) else fingerprint(value)
        for key, value in _everything(thing)
        if is_data(value) and not key.endswith(":__file__")
    }


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _text(thing: Any) -> str:
    """Get the source of a class or function; of one typed into a prompt, its compiled form."""
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        codes = [code for function in _functions(thing) for code in _codes(function.__code__)]
        compiled = [f"{code.co_code.hex()} {code.co_names} {_literals(code)}" for code in codes]
        return " ".join([thing.__qualname__, *compiled])


def digest_values(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Digest the values that use has not changed; "" if there are none.

    What changes by use is a counter or a collection, which says nothing about the code.
    """
    facts = sorted((name, said) for name, said in before.items() if after.get(name) == said)
    return _short_hash(repr(facts).encode(errors="surrogateescape")) if facts else ""


def _referred_to(thing: Any) -> list[tuple[str, str]]:
    """List module and text of each own class, function and constant that `thing` needs, by name."""
    found: dict[str, tuple[str, str]] = {}
    for key, value in _everything(thing):
        module, _, name = key.partition(":")
        if isinstance(value, type) or inspect.isfunction(value):
            if is_own(value):
                found[f"{value.__module__}:{value.__qualname__}"] = value.__module__, _text(value)
        elif _is_literal(value):
            found[key] = module, f"{name}={value!r}\n"
    return [found[key] for key in sorted(found)]


def _everything(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a class or function, and own ones it uses, name: `module:name` and its value."""
    waiting, seen = [thing], {id(thing)}
    while waiting:
        for name, module, value in _names_in(waiting.pop()):
            for part in [value, *_code_within(value)]:
                is_code = isinstance(part, type) or inspect.isfunction(part)
                if part is value or is_code:
                    label = name if part is value else f"{name}.{part.__qualname__}"
                    yield f"{module}:{label}", part
                if is_code and is_own(part) and id(part) not in seen:
                    seen.add(id(part))
                    waiting.append(part)


def _code_within(value: Any) -> list[Any]:
    """List the classes and functions that a table of them holds, such as a registry."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _names_in(thing: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield each outer name that a class or function uses: the name, its module, its value."""
    for base in thing.__bases__ if isinstance(thing, type) else ():
        yield base.__name__, base.__module__, base
    for function in _functions(thing):
        yield from _enclosed(function)
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
        yield from _names_by_text(function, codes, names)


def _names_by_text(
    function: FunctionType, codes: Sequence[CodeType], names: set[str]
) -> Iterator[tuple[str, str, Any]]:
    """Yield what no global name holds: modules imported within, or searched by text; variables."""
    place = function.__module__
    steps = [step for code in codes for step in dis.get_instructions(code)]
    modules = {str(step.argval) for step in steps if step.opname == "IMPORT_NAME"}
    parts = {str(step.argval) for step in steps if step.opname == "IMPORT_FROM"}
    modules |= {f"{module}.{part}".lstrip(".") for module in modules for part in parts}
    if "getattr" in names:
        globals_of = function.__globals__
        modules |= {name for name in names if isinstance(globals_of.get(name), ModuleType)}
    for name in sorted(filter(None, modules)):
        text = _text_of_module(name, function)
        if text:
            yield f"{function.__qualname__} imports {name}", place, text
    if names & {"environ", "getenv"}:
        for name in {text for code in codes for text in code.co_consts if isinstance(text, str)}:
            if name in os.environ:
                yield f"${name}", place, os.environ[name]


def _text_of_module(name: str, function: FunctionType) -> str:
    """Get the source of a person's module that is known by that name where a function is."""
    home = str(function.__globals__.get("__file__", ""))
    package = str(function.__globals__.get("__package__") or "")
    for known in (name, f"{package}.{name}"):
        module = sys.modules.get(known)
        if module is not None and getattr(module, "__file__", None):
            return _read(Path(str(module.__file__))) if is_own(module) else ""
    return _read(Path(home).parent.joinpath(*name.split(".")).with_suffix(".py")) if home else ""


def _read(file: Path) -> str:
    return file.read_text("utf-8", "replace") if file.is_file() else ""


def _enclosed(function: FunctionType) -> Iterator[tuple[str, str, Any]]:
    """Yield a function's default arguments, and what it takes from the function around it."""
    place, code = function.__module__, function.__code__
    for number, value in enumerate(function.__defaults__ or ()):
        yield f"{function.__qualname__}({number})", place, value
    for name, value in (function.__kwdefaults__ or {}).items():
        yield f"{function.__qualname__}({name})", place, value
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # a cell that nothing has been put into
            yield f"{function.__qualname__}.{name}", place, cell.cell_contents


def _functions(thing: Any) -> list[FunctionType]:
    """List a function itself; of a class those that it defines, also behind its decorators."""
    parts = vars(thing).values() if isinstance(thing, type) else [thing]
    inner = [getattr(part, "fget", None) or getattr(part, "__func__", part) for part in parts]
    return [part for part in map(inspect.unwrap, inner) if inspect.isfunction(part)]


def _codes(code: CodeType) -> list[CodeType]:
    """List the code of a function and of the functions within it."""
    within = [part for part in code.co_consts if isinstance(part, CodeType)]
    return [code, *(deeper for part in within for deeper in _codes(part))]


def _assigned(codes: Sequence[CodeType]) -> set[str]:
    """Find the global names to which code assigns, such as counters: they are no constants."""
    instructions = (step for code in codes for step in dis.get_instructions(code))
    return {step.argval for step in instructions if step.opname == "STORE_GLOBAL"}


def _literals(code: CodeType) -> list[Any]:
    return [constant for constant in code.co_consts if _is_literal(constant)]


def _is_literal(value: Any) -> bool:
    """Tell whether it never changes, and its text says all of it, the same in every process."""
    if not isinstance(value, (bool, int, float, str, tuple)):
        return False
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False
