"""A person's own model: found by file or package, built, looked at once, its faults explained."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fashionbench.errors import FashionbenchError, UsageError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["build_own", "digest", "for_classes", "locate"]

_FOR_CLASSES = ("classes", "num_classes", "n_classes", "output_shape")
"""What constructors call the number of classes."""
_HERE = Path(__file__).parent.parent


def locate(reference: str) -> Callable[..., "nn.Module"]:
    """The class or function of `file.py:Name` or `package.module:Name`; UsageError if absent."""
    home, _, name = reference.rpartition(":")
    if not home or not name:
        raise UsageError(
            f"{reference!r} names no model; write file.py:Name or package.module:Name."
        )
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
            f"The model {reference!r} cannot be loaded ({error}); write it as package.module:Name, "
            "importable from here, or as file.py:Name."
        ) from None


def _load_file(home: str) -> ModuleType:
    path = Path(home)
    if not path.is_file():
        raise UsageError(f"There is no file {home}; the model's source must be where it was.")
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
        raise UsageError(f"{home} cannot be run: {_told(error)}") from None
    return module


def digest(model: Any, reference: str) -> str:
    """Of a model's source: of the whole file where one is named, else of the class's own text."""
    home = reference.rpartition(":")[0]
    if home.endswith(".py"):
        content = Path(home).read_bytes()
    else:
        try:
            content = inspect.getsource(model).encode()
        except (OSError, TypeError):  # typed into a prompt, or compiled: told apart by name alone
            content = model.__qualname__.encode()
    return hashlib.sha256(content).hexdigest()[:16]


def build_own(
    build: Callable[..., "nn.Module"], reference: str, settings: Mapping[str, Any], classes: int
) -> "nn.Module":
    """Build the model and show it a picture: it comes back as it is, or behind an adapter.

    Raises UsageError, in terms of the person's own file and line, for a model that cannot be
    built, takes no picture, or answers something else than finite (B, K) logits for K `classes`.
    """
    import torch
    from torch import nn

    from fashionbench.models.adapter import adapted

    try:
        model = build(**settings)
    except FashionbenchError:
        raise
    except Exception as error:
        raise UsageError(
            f"{reference} cannot be built: {_told(error)} Arguments are given as "
            f"{reference}:name=value; it takes {takes(build)}."
        ) from None
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{reference} gave a {type(model).__name__}; a model is a torch.nn.Module."
        )
    try:
        model, answer = adapted(model)
    except Exception as error:
        raise UsageError(
            f"{reference} takes no 28x28 grey images, nor enlarged or in three channels: "
            f"{_told(error)}"
        ) from None
    if not isinstance(answer, torch.Tensor) or answer.shape != (2, classes):
        given = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        raise UsageError(
            f"{reference} answers (2, 1, 28, 28) images with {given}; it must be (2, {classes}): a "
            f"logit for each of the {classes} classes. Change its last layer."
        )
    if not answer.isfinite().all():
        raise UsageError(f"{reference} answers with numbers that are not finite before training.")
    return model


def for_classes(
    build: Callable[..., Any], settings: Mapping[str, Any], given: Mapping[str, Any], classes: int
) -> dict[str, Any]:
    """The settings, with the number of classes if the constructor takes it and nobody gave it."""
    parameters = inspect.signature(build).parameters
    names = [name for name in _FOR_CLASSES if name in parameters and name not in given]
    return {**settings, **dict.fromkeys(names[:1], classes)}


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


def _told(error: Exception) -> str:
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
