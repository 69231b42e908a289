"""What a model costs, whatever it runs on: its parameters and the operations of a forward pass."""

import math
import warnings
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fashionbench.core.global_state import preserved
from fashionbench.core.shape import shape_of

__all__ = ["count_parameters", "flops_per_image"]

Shape = tuple[int, ...]


def count_parameters(model: nn.Module) -> int:
    """Count the numbers that training may change."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def flops_per_image(model: nn.Module) -> int | None:
    """Count the floating-point operations of a forward pass over an image; an addition is one.

    Those of convolutions, products of matrices, LSTMs and bilinear layers; the others are few. None
    where they cannot be counted. The model may be changed by it as by a picture that it is shown:
    give one that is not trained.
    """
    for images in (1, 2):  # some models take no single image
        try:
            return _count(model, images) // images
        except Exception:  # whatever a person's own code, or the counter, may raise
            continue
    return None


def _count(model: nn.Module, images: int) -> int:
    for parameter in model.parameters():
        parameter.requires_grad_()
    # With gradients and by its parts, since torch's fast paths for attention count as nothing.
    with (
        preserved(),
        sdpa_kernel(SDPBackend.MATH),
        warnings.catch_warnings(action="ignore"),
        torch.enable_grad(),
        FlopCounterMode(display=False, custom_mapping=_MORE) as counter,
    ):
        model.eval()
        model(torch.zeros(images, *shape_of(model).sizes))
    return int(counter.get_total_flops())


def _lstm_layer(images: Shape, weight: Shape, hidden: Shape, *_: Any, **__: Any) -> int:
    """One layer one way: in each step (B, I) inputs and (B, H) hidden values by their weights."""
    return 2 * math.prod(images[:2]) * (math.prod(weight) + math.prod(hidden))


def _trilinear(first: Shape, weight: Shape, *_: Any, **__: Any) -> int:
    """(B, I) and (B, J) by (K, I, J): I x J products an output, and I of what comes of them."""
    return 2 * math.prod(first[:-1]) * (math.prod(weight) + math.prod(weight[:-1]))


_MORE = {torch.ops.aten.mkldnn_rnn_layer: _lstm_layer, torch.ops.aten._trilinear: _trilinear}
"""What torch's own counter counts as nothing, by the shapes of its arguments."""
