"""The architectures, by family, and the one table that names them.

The table holds references, not classes: reading it imports no torch, and a
person's own model (`package.module:Name`) is found in the same way.
"""

import hashlib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fashionbench.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["MODELS", "ModelEntry", "build_model", "identify", "model_entry"]


@dataclass(frozen=True)
class ModelEntry:
    """Where a model is defined, what its constructor is given, and what it is in one line."""

    reference: str
    """`package.module:Name` of a class or function that returns a module."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""

    @property
    def label(self) -> str:
        """The class's own name."""
        return self.reference.split(":")[1]


# The widths of the three first models: 28x28 grey images, 10 hidden units, 10 classes.
_FLAT = {"input_shape": 784, "hidden_units": 10, "output_shape": 10}
_IMAGE = {"input_shape": 1, "hidden_units": 10, "output_shape": 10}

MODELS = {
    "v0": ModelEntry(
        "fashionbench.models.mlp:FashionMnistModelV0",
        _FLAT,
        "two linear layers with nothing between them",
    ),
    "v1": ModelEntry(
        "fashionbench.models.mlp:FashionMnistModelV1",
        _FLAT,
        "v0 with a ReLU after each layer, also on the logits",
    ),
    "v2": ModelEntry(
        "fashionbench.models.tinyvgg:FashionMNISTModelV2",
        _IMAGE,
        "a small CNN: two blocks of two convolutions and a pooling",
    ),
    "mlp": ModelEntry(
        "fashionbench.models.mlp:MLP",
        _FLAT,
        "v1 without the ReLU on the logits, the MLP most people mean",
    ),
}


def model_entry(name: str) -> ModelEntry:
    """The entry of a table's key or of `package.module:Name`. Raises UsageError for others."""
    if name in MODELS:
        return MODELS[name]
    if ":" in name:
        return ModelEntry(name)
    raise UsageError(
        f"There is no model {name!r}; there are {', '.join(MODELS)}, "
        "and package.module:Name for one of your own."
    )


def identify(model: str | Callable[[], "nn.Module"]) -> tuple[str, str]:
    """The name of a model and a digest of its source, which is "" for those of the table.

    A class or function of one's own is named `module:Name`; the digest tells
    runs of an edited model from those before.
    """
    if isinstance(model, str):
        if model_entry(model) in MODELS.values():
            return model, ""
        return model, _digest(_locate(model))
    if not callable(model) or "<" in getattr(model, "__qualname__", "<"):
        raise UsageError(
            f"{model!r} cannot be rebuilt by its name; give a class or a function "
            "defined at the top level of a module, without calling it."
        )
    return f"{model.__module__}:{model.__qualname__}", _digest(model)


def _digest(model: Any) -> str:
    try:
        source = inspect.getsource(model)
    except (OSError, TypeError):  # typed into a prompt, or compiled: told apart by name alone
        source = model.__qualname__
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _locate(reference: str) -> Callable[..., "nn.Module"]:
    module_name, _, attribute = reference.partition(":")
    try:
        located: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            located = getattr(located, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"The model {reference!r} cannot be loaded ({error}); "
            "write it as package.module:Name, importable from here."
        ) from None
    return located  # type: ignore[no-any-return]


def build_model(name: str, seed: int = 0) -> "nn.Module":
    """Build a model with the initial weights that `seed` gives, leaving torch's own seed alone.

    The module takes (B, 1, 28, 28) pixels in [0, 1] and gives (B, K) logits.
    """
    import torch

    from fashionbench.seeds import derive_seed

    entry = model_entry(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "initialisation"))
        return _locate(entry.reference)(**entry.settings)
