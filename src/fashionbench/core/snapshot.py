"""What a network holds: its structure, and the state that its parameters and buffers leave out.

Two questions are asked of a person's network. Was it built as the one before? `structure` answers
that, without a bit of any weight: names, shapes, types and plain attributes, which other machines
and releases of torch give alike. Has anything changed that no checkpoint holds? `plain_state`
answers that, bit by bit: tensors that are no buffers, numbers, lists, generators.
"""

import enum
import functools
import hashlib
import inspect
import random
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import suppress
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = [
    "constants",
    "fingerprint",
    "hidden_layers",
    "is_data",
    "is_known",
    "plain_state",
    "shared_state",
    "structure",
    "summary",
]

_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
"""Attributes that torch gives every module; `training` is among them."""
_LOOKED_INTO = {"argparse", "builtins", "collections", "types"}
"""Modules of Python's own whose objects say all of themselves by their content."""


def structure(model: nn.Module) -> dict[str, str]:
    """Describe what was built: a fact for each module, tensor and plain attribute, by its path."""
    facts = {}
    for path, module in model.named_modules():
        facts[f"{path}()"] = type(module).__qualname__
        for name, value in _attributes(module):
            facts[f"{path}.{name}"] = fingerprint(value)
        for name, tensor in _registered(module):
            facts[f"{path}.{name}"] = f"{fingerprint(tensor)} {tensor.requires_grad}"
    return facts


def constants(first: nn.Module, second: nn.Module) -> dict[str, str]:
    """Summarize the tensors that two models of one structure have in common, by their paths.

    A summary is too coarse for rounding to change it.
    """
    pairs = zip(_tensors(first), _tensors(second), strict=True)
    return {name: summary(one) for (name, one), (_, other) in pairs if _are_equal(one, other)}


def plain_state(model: nn.Module) -> dict[str, str]:
    """Describe, bit by bit, all that a model holds beside parameters and persistent buffers.

    What its classes hold, and the global values that their methods name, count too: all models of
    a class share them.
    """
    held = model.state_dict(keep_vars=True).values()
    write = _Writer(exact=True, registered={id(tensor) for tensor in held}).write
    facts = {}
    for path, module in model.named_modules():
        of_buffers = [(name, module._buffers[name]) for name in module._non_persistent_buffers_set]
        for name, value in [*_attributes(module), *_attached(module), *of_buffers]:
            facts[f"{path}.{name}".lstrip(".")] = write(value)
        for name, value in _of_hooks(module):
            facts[f"{path} hook {name}".strip()] = write(value)
    return facts | shared_state(model)


def shared_state(model: nn.Module) -> dict[str, str]:
    """Describe, bit by bit, what a model's classes hold, and global values their methods name."""
    write, facts = _Writer(exact=True).write, dict[str, str]()
    for kind in dict.fromkeys(type(module) for module in model.modules()):
        for name, value in () if _is_of_torch(kind) else _of_class(kind):
            key = f"{kind.__qualname__}.{name}"  # also of what a base class has under that name
            facts[key] = f"{facts.get(key, '')} {write(value)}".lstrip()
    return facts


def _registered(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield parameters, buffers and plain tensors and arrays."""
    for path, module in model.named_modules():
        yield from ((f"{path}.{name}", tensor) for name, tensor in _registered(module))
        for name, value in [*_attributes(module), *_attached(module)]:
            if isinstance(value, Tensor):
                yield f"{path}.{name}", value
            elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
                yield f"{path}.{name}", torch.from_numpy(np.array(value))


def _are_equal(one: Tensor, other: Tensor) -> bool:
    lazy = nn.parameter.is_lazy(one) or nn.parameter.is_lazy(other)
    if lazy or one.shape != other.shape or one.layout != other.layout:
        return False
    return torch.equal(one.to_dense(), other.to_dense())


def _is_of_torch(kind: Any) -> bool:
    return str(kind.__module__).partition(".")[0] == "torch"


def _attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield what a person set; of a layer of torch's, the arguments that are not the usual ones."""
    held = {name: value for name, value in vars(module).items() if name not in _OF_EVERY_MODULE}
    if not _is_of_torch(type(module)):
        computed = _computed_by_hooks(module)
        yield from ((name, value) for name, value in held.items() if name not in computed)
        return
    for name, parameter in inspect.signature(type(module)).parameters.items():
        # What is usual is left out, so that an argument that torch adds changes nothing.
        if name not in held or isinstance(held[name], Tensor | nn.Module):
            continue
        if fingerprint(held[name]) != fingerprint(parameter.default):
            yield name, held[name]


def _attached(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the tensors that somebody has put on a layer of torch's, which has none of its own."""
    if _is_of_torch(type(module)):
        computed = _computed_by_hooks(module)
        for name, value in vars(module).items():
            if isinstance(value, Tensor | np.ndarray) and name not in computed:
                yield name, value


def _computed_by_hooks(module: nn.Module) -> set[str]:
    """Name the weights that pruning and the older weight norm compute in every forward pass."""
    hooks = module._forward_pre_hooks.values()
    of_torch = [hook for hook in hooks if type(hook).__module__.startswith("torch.nn.utils.")]
    return {getattr(hook, "_tensor_name", getattr(hook, "name", "")) for hook in of_torch}


def _of_class(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield a class's own values, and the outer ones that its methods use."""
    seen: set[int] = set()
    for base in kind.__mro__:
        if _is_of_torch(base) or base is object:
            continue
        for name, part in vars(base).items():
            function = inspect.unwrap(getattr(part, "__func__", part))
            if isinstance(function, types.FunctionType):
                yield from _used_by(function, seen)
            elif not name.startswith("__") and is_data(part):
                yield name, part


def _of_hooks(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the outer values that a module's hooks use, but for torch's own hooks."""
    seen: set[int] = set()
    for hooks in (module._forward_pre_hooks, module._forward_hooks, module._backward_hooks):
        for hook in hooks.values():
            function = getattr(hook, "__func__", hook)
            if isinstance(function, types.FunctionType):
                yield from _used_by(function, seen)


def _used_by(function: types.FunctionType, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield global values that a function, or one of the same module that it calls, names."""
    if id(function) in seen or _is_of_torch(function):
        return
    seen.add(id(function))
    space, code = function.__globals__, function.__code__
    for name in code.co_names:
        value = space.get(name)
        if isinstance(value, types.FunctionType) and value.__module__ == function.__module__:
            yield from _used_by(value, seen)
        elif name in space and is_data(value):
            yield f"<{name}>", value
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # a cell that nothing has been put into
            if is_data(cell.cell_contents) and not isinstance(cell.cell_contents, nn.Module):
                yield f"<{name}>", cell.cell_contents


def is_data(value: Any) -> bool:
    """Tell whether a value is data rather than code, whose text says all of it."""
    code = types.ModuleType | type | types.BuiltinFunctionType | types.FunctionType
    return not isinstance(value, code | property | staticmethod | classmethod)


def fingerprint(value: Any) -> str:
    """Say what a value is, alike on every machine and in every process.

    Floats have six digits; of a tensor, an array or a generator it is the kind and shape alone.
    """
    return _Writer(exact=False).write(value)


class _Writer:
    """Writes values down: bit by bit where `exact`, else as rounding leaves them.

    An object is looked into once. Tensors in `registered` are not: they may change.
    """

    def __init__(self, exact: bool, registered: Set[int] = frozenset()) -> None:
        self.exact, self.registered = exact, registered
        self._seen: dict[int, Any] = {}

    def write(self, value: Any) -> str:
        if value is None or isinstance(
            value, bool | int | str | bytes | torch.dtype | torch.device
        ):
            return repr(value)
        if isinstance(value, float | complex):
            return repr(value) if self.exact else f"{value:.6g}"
        for kinds, say in self._kinds.items():
            if isinstance(value, kinds):
                return say(self, value)
        if id(value) in self._seen:
            return "again"
        self._seen[id(value)] = value  # kept, so that no other object comes to lie there
        return self._write_whole(value)

    def _write_whole(self, value: Any) -> str:
        kind = type(value)
        home = kind.__module__.partition(".")[0]
        if home in sys.stdlib_module_names and home not in _LOOKED_INTO:
            return kind.__qualname__  # a lock, a logger, the environment
        if isinstance(value, Mapping):
            return f"{{{', '.join(f'{self.write(k)}: {self.write(v)}' for k, v in value.items())}}}"
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(self.write, value))}]"
        if isinstance(value, Set):
            return f"{{{', '.join(sorted(map(self.write, value)))}}}"
        slots = {name for base in kind.__mro__ for name in getattr(base, "__slots__", ())}
        held = {name: getattr(value, name) for name in sorted(slots) if hasattr(value, name)}
        return f"{kind.__qualname__} {self.write(held | getattr(value, '__dict__', {}))}"

    def _tensor(self, value: Tensor) -> str:
        if id(value) in self.registered or value.is_meta or nn.parameter.is_lazy(value):
            return str(value.dtype)
        shape = f"{value.dtype} {tuple(value.shape)}"
        if not self.exact:
            return shape
        try:
            dense = (value.dequantize() if value.is_quantized else value).detach().cpu()
            flat = (dense if dense.layout is torch.strided else dense.to_dense()).flatten()
            return f"{shape} {_hash(flat.contiguous().view(torch.uint8))}"
        except RuntimeError:  # one of vmap's, kept after its end, has no values
            return f"{shape} of a stack"

    def _array(self, value: Any) -> str:
        array = np.ascontiguousarray(value)
        if array.dtype.hasobject:
            return self.write(array.tolist())
        shape = f"{array.dtype} {array.shape}"
        return f"{shape} {_hash(array)}" if self.exact else shape

    def _generator(self, value: Any) -> str:
        if not self.exact:
            return type(value).__qualname__
        if isinstance(value, torch.Generator):
            return self.write(value.get_state())
        if isinstance(value, random.Random):
            return repr(value.getstate())
        legacy = isinstance(value, np.random.RandomState)
        return self.write(value.get_state(legacy=False) if legacy else value.bit_generator.state)

    def _module(self, value: nn.Module) -> str:
        if not self.exact:
            return self.write(structure(value))
        return self.write({**value.state_dict(keep_vars=True), "": plain_state(value)})

    def _named(self, value: Any) -> str:
        return str(value.__qualname__)

    def _partial(self, value: "functools.partial[Any]") -> str:
        return self.write([value.func, value.args, value.keywords])

    def _said(self, value: Any) -> str:
        # Not where a project lies, which may be moved.
        is_place = isinstance(value, PurePath) and value.is_absolute()
        return f"{type(value).__qualname__} {'' if is_place else value}"

    _kinds: Mapping[Any, Callable[["_Writer", Any], str]] = {
        Tensor: _tensor,
        np.ndarray | np.generic: _array,
        torch.Generator | random.Random | np.random.Generator | np.random.RandomState: _generator,
        nn.Module: _module,
        type | types.FunctionType | types.BuiltinFunctionType | types.MethodType: _named,
        functools.partial: _partial,
        enum.Enum | PurePath: _said,
    }


def _hash(values: Any) -> str:
    return hashlib.sha256(np.asarray(values).tobytes()).hexdigest()[:16]


def summary(tensor: Tensor) -> str:
    """Write shape and three means of the values, in four digits.

    The same computation leaves other last bits on another machine, but the same summary.
    """
    if tensor.is_complex() or tensor.is_quantized or not tensor.numel():
        return fingerprint(tensor)
    values = tensor.detach().cpu().to_dense().flatten().double()
    places = torch.linspace(-1, 1, len(values), dtype=torch.float64)
    means = (values.mean(), values.abs().mean(), (values * places).mean())
    return " ".join([str(tuple(tensor.shape)), *(f"{mean.item() + 0.0:.4g}" for mean in means)])


def hidden_layers(model: nn.Module) -> list[str]:
    """List the attributes that hold weights where torch overlooks them, as in a plain list."""
    known = {id(part) for part in [*model.modules(), *model.parameters()]}
    return [
        f"{path}.{name}".lstrip(".")
        for path, module in model.named_modules()
        if not _is_of_torch(type(module))
        for name, value in vars(module).items()
        if name not in _OF_EVERY_MODULE and _hides_weights(value, known, set())
    ]


def _hides_weights(value: Any, known: Set[int], seen: set[int]) -> bool:
    if id(value) in known or id(value) in seen:
        return False
    seen.add(id(value))
    if isinstance(value, Tensor):
        return value.requires_grad and value.is_leaf
    if isinstance(value, nn.Module):
        return any(id(parameter) not in known for parameter in value.parameters())
    if isinstance(value, Mapping):
        value = list(value.values())
    elif not isinstance(value, list | tuple):
        own = type(value).__module__.partition(".")[0] not in sys.stdlib_module_names
        value = list(getattr(value, "__dict__", {}).values()) if own else []
    return any(_hides_weights(part, known, seen) for part in value)


def is_known(model: nn.Module) -> bool:
    """Tell whether a model is made of this package's and torch's own modules alone.

    A person's module, or a method put on one of torch's, may do anything anew at each call.
    """
    return all(
        type(module).__module__.startswith(("fashionbench.", "torch.nn."))
        and "forward" not in vars(module)
        for module in model.modules()
    )
