"""Copies of networks to try things on, also of networks that deepcopy refuses."""

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from fashionbench.core.global_state import silent
from fashionbench.core.shape import remember_shape, shape_of
from fashionbench.core.snapshot import is_known

__all__ = ["copy_model", "copy_skeleton"]


def copy_model(model: nn.Module, anew: Callable[[], nn.Module] | None = None) -> nn.Module:
    """Copy a model with all that it holds, also with results of earlier computations.

    Pruning and the older weight norm keep the weight that they compute as an attribute of its
    layer. deepcopy refuses such a tensor; the copy gets its values, and computes its own later.
    A custom model may hold a lock or a file, which cannot be copied, or functions and hooks that
    refer to the model, and still would in its copy. So the copy of a custom model is one that
    `anew` builds, with the tensors of the original, if they fit. Otherwise it is deepcopy's, and
    raises what deepcopy raises.
    """
    if anew is not None and not is_known(model):
        with suppress(Exception), silent():  # whatever its own code may raise
            other = anew()
            other.load_state_dict(model.state_dict())
            remember_shape(other, shape_of(model))
            return other.to(next(model.parameters()).device)
    copied = copy.deepcopy(model, _results(model))
    remember_shape(copied, shape_of(model))
    return copied


def copy_skeleton(model: nn.Module) -> nn.Module:
    """Copy a model without the values of its parameters and buffers, which lie on no device.

    Layers that share a tensor share it in the copy too, as they would not after `to("meta")`.
    """
    empty = _results(model)
    for tensor in [*model.parameters(), *model.buffers()]:
        like = torch.empty_like(tensor, device="meta")
        is_parameter = isinstance(tensor, nn.Parameter)
        empty[id(tensor)] = nn.Parameter(like, tensor.requires_grad) if is_parameter else like
    return copy.deepcopy(model, empty)


def _results(model: nn.Module) -> dict[int, Any]:
    """Map the ids of tensors that computations left in attributes to copies, as deepcopy's memo."""
    return {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
