"""Which model a run was made with: its name, and digests of its source and of what was built.

A run belongs to the model that made it. A person's source is not all of that: what a network reads
from a dict, a file or the environment is seen in what is built from it.
"""

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from fashionbench.config.model_spec import ModelSpec
from fashionbench.core.global_state import silent
from fashionbench.core.names import find_code_name
from fashionbench.core.own_code import (
    describe_arguments,
    digest_file,
    find_file_module,
    importable_neighbours,
    is_own,
    locate,
)
from fashionbench.core.own_source import Source, digest_source, digest_values, global_values
from fashionbench.core.shape import GREY28, Shape
from fashionbench.errors import UsageError
from fashionbench.models.build import construct
from fashionbench.models.table import ModelEntry, model_entry, with_known_base

if TYPE_CHECKING:
    from torch import nn

__all__ = ["identify", "is_as_first_asked", "is_unchanged", "spell"]

KEPT_HEAD = " with its head"
"""Added to the digest of weights: runs recorded before always began with a new last layer."""


Model = str | ModelSpec | Callable[[], "nn.Module"]


def spell(model: "Model") -> ModelSpec:
    """Return the name by which a model can be built anew for each seed, in any process.

    A class or function of one's own is `module:Name`, and a `functools.partial` of it that with
    arguments. Raises UsageError for what has no such name, such as an instance or a lambda.
    """
    if isinstance(model, ModelSpec):
        return model
    if isinstance(model, str):
        return with_known_base(ModelSpec.parse(model))
    build = model.func if isinstance(model, partial) else model
    name = find_code_name(build)
    if name is None:
        raise UsageError(_why_nameless(build))
    given = dict[str, Any]()
    if isinstance(model, partial):
        given = dict(zip(inspect.signature(build).parameters, model.args, strict=False))
        given |= model.keywords
    spec = ModelSpec(name, given)
    if ModelSpec.parse(str(spec)) != spec:
        raise UsageError(
            f"Not all arguments of {spec.short} can be written in its name; give numbers, text, "
            "lists or dicts of them, or write a function without arguments that builds the model."
        )
    return spec


def identify(model: "Model", classes: int = 10, shape: Shape = GREY28) -> tuple[ModelSpec, Source]:
    """Return which model that is, and digests of its source: empty for a model of the table.

    The digests tell runs of an edited model from those before. Arguments that are the defaults fall
    away, so that one model has one name. Raises UsageError for arguments that the model does not
    take, and for one that cannot be built or has no name.
    """
    named = spell(model)
    entry = model_entry(named)
    spec = replace(named, arguments=_not_by_default(named, entry))
    source = _identify_own(spec, classes, shape) if entry.is_own else Source()
    if spec.weights is not None:
        from fashionbench.models.weights import digest_weights

        kept = "" if spec.new_head else KEPT_HEAD
        source = replace(source, weights=f"{digest_weights(spec.weights)}{kept}")
    return spec, source


def _why_nameless(model: Any) -> str:
    """Say why a model cannot be built anew by its name, for each seed, and what can."""
    name = type(model).__name__
    if hasattr(model, "forward"):
        return (
            f"This {name} is built already, with the weights of one seed; give its class without "
            f"calling it, or with arguments functools.partial({name}, width=64)."
        )
    return (
        f"A model of type {name} cannot be built anew by a name, for each seed; give a class or "
        "function of a module's top level, or with arguments functools.partial(MyNet, width=64)."
    )


def _identify_own(spec: ModelSpec, classes: int, shape: Shape) -> Source:
    """Build it twice: what differs from seed to seed, or counts what is built, is no part of it."""
    from fashionbench.core.snapshot import constants, shared_state, structure

    reference, build = spec.base, locate(spec.base)
    with (
        importable_neighbours(reference),
        silent(),
    ):  # the modules beside a file are known only there
        source, values = digest_source(build, reference), global_values(build)
        first, second = (construct(spec, seed, classes, shape) for seed in (0, 1))
        shared = shared_state(second)
        asked = _as_first_asked(build, reference, (values, global_values(build), shared))
        values, changed, _ = asked
        one, other = structure(first), structure(second)
        alike = constants(first, second) if one.keys() == other.keys() else {}
        equal = {f"{key} =": said for key, said in alike.items()}
    return replace(source, values=digest_values(values | one | equal, changed | other | equal))


_Values = tuple[dict[str, str], dict[str, str], dict[str, str]]
"""Global values before and after something was built, and what its classes held then."""
_first_asked: WeakKeyDictionary[ModuleType, dict[str, _Values]] = WeakKeyDictionary()
"""By module and reference."""


def _as_first_asked(build: Callable[..., Any], reference: str, values: _Values) -> _Values:
    """Give the values that there were when a person's file had just been run.

    Training may change them, and changes nothing about which model it is.
    """
    module = find_file_module(build)
    if module is None:
        return values
    return _first_asked.setdefault(module, {}).setdefault(reference, values)


def is_as_first_asked(spec: ModelSpec, model: "nn.Module") -> bool:
    """Tell whether a model's classes and its file hold what they held before any was trained.

    If not, a new process would build it otherwise than this one.
    """
    from fashionbench.core.snapshot import shared_state

    reference, build = spec.base, locate(spec.base)
    module = find_file_module(build)
    first = _first_asked.get(module, {}).get(reference) if module else None
    return first is None or first[1:] == (global_values(build), shared_state(model))


def _not_by_default(spec: ModelSpec, entry: ModelEntry) -> dict[str, Any]:
    """Select the arguments that are not the default anyway; UsageError for one not taken."""
    if not spec.arguments:
        return {}
    usual, build = model_entry(ModelSpec(spec.base)), locate(entry.reference)
    parameters = inspect.signature(build).parameters
    free = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for key in spec.arguments:
        if key not in parameters and not free:
            raise UsageError(
                f"{spec}: there is no argument {key!r}; there are {describe_arguments(build)}."
            )
    defaults = {key: p.default for key, p in parameters.items()} | dict(usual.settings)
    return {key: value for key, value in spec.arguments.items() if value != defaults.get(key)}


def is_unchanged(spec: ModelSpec, source: Source, classes: int, shape: Shape = GREY28) -> bool:
    """Tell whether `identify` still gives `source` for a model that was read from a file.

    A file comes from wherever, and what it names is called to be rebuilt. So nothing is run of a
    source that has changed, and nothing is called but a module, what is annotated to return one,
    and functions of a person's own; UsageError for others.
    """
    from torch import nn

    entry = model_entry(spec)
    if entry.is_own:
        home = entry.reference.rpartition(":")[0]
        if home.endswith(".py") and digest_file(home) != source.text:
            return False
        build = locate(entry.reference)
        while isinstance(build, partial):
            build = build.func
        gives = build if isinstance(build, type) else _annotated(build)
        is_model = isinstance(gives, type) and issubclass(gives, nn.Module)
        if not is_model and (isinstance(build, type) or not is_own(build)):
            raise UsageError(
                f"{entry.reference} is not run: it is neither a torch.nn.Module, nor a function "
                "that is your own or annotated to return one."
            )
    return identify(spec, classes, shape)[1] == source


def _annotated(build: Callable[..., Any]) -> Any:
    """Find what a function is annotated to return; None where that is not known."""
    try:
        return inspect.get_annotations(build, eval_str=True).get("return")
    except Exception:  # evaluates whatever text stands there
        return None
