"""A person's own model: built, looked at once, its faults explained."""

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.own_code import takes, told

if TYPE_CHECKING:
    from torch import nn

__all__ = ["build_own", "for_classes"]

_FOR_CLASSES = ("classes", "num_classes", "n_classes", "output_shape")
"""What constructors call the number of classes."""


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
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{reference} cannot be built: {told(error)} Arguments are given as "
            f"{reference}:name=value; it takes {takes(build)}."
        ) from None
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{reference} gave a {type(model).__name__}; a model is a torch.nn.Module."
        )
    try:
        model, answer = adapted(model)
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{reference} takes no 28x28 grey images, nor enlarged or in three channels: "
            f"{told(error)}"
        ) from None
    if not isinstance(answer, torch.Tensor):
        raise UsageError(
            f"{reference} answers images with a {type(answer).__name__}; its forward method must "
            "return one tensor of logits."
        )
    if answer.shape != (2, classes):
        raise UsageError(
            f"{reference} answers (2, 1, 28, 28) images with {tuple(answer.shape)}; it must be "
            f"(2, {classes}): a logit for each of the {classes} classes. Change its last layer, or "
            "take an argument `classes`, which is told their number."
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
