"""The C function as a model's two passes: a batch in, its mean loss and gradients out."""

import ctypes
import logging
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fashionbench.training.kernels.compiler import load_library
from fashionbench.training.kernels.layers import Layer, find_layers

__all__ = ["Engine", "build_engine"]

VALUES = 6
"""Of a layer: weight, bias, gamma, beta, running mean, running variance; four have gradients."""
log = logging.getLogger(__name__)


class _Shape(ctypes.Structure):
    """What the C source calls Shape."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "kind", "inputs", "outputs", "height", "width", "kernel", "stride", "padding",
            "bias", "norm", "relu", "pool",
        )),
        ("epsilon", ctypes.c_float),
        ("momentum", ctypes.c_float),
    ]


class Engine:
    """A model's passes in C, in its own parameters: what changes them changes the model.

    `images` is the most that a call is given. Memory is taken once, here, and given back with the
    object; the threads are its own.
    """

    def __init__(
        self, library: ctypes.CDLL, layers: Sequence[Layer], threads: int, images: int
    ) -> None:
        self._library = library
        shapes = (_Shape * len(layers))(*map(_shape, layers))
        self._network = library.network_new(shapes, len(layers), threads, images)
        if not self._network:
            raise MemoryError
        weakref.finalize(self, library.network_free, self._network)
        tensors = list(enumerate(tensor for layer in layers for tensor in _tensors(layer)))
        self._tensors = [(index, tensor) for index, tensor in tensors if tensor is not None]
        self._parameters = [row for row in self._tensors if isinstance(row[1], nn.Parameter)]
        self._values = (ctypes.c_void_p * len(tensors))()
        self._gradients = (ctypes.c_void_p * len(tensors))()
        self._counters = [
            layer.norm.num_batches_tracked for layer in layers if layer.norm is not None
        ]
        self.classes = layers[-1].outputs

    def differentiate(
        self,
        images: Tensor,
        labels: Tensor,
        partners: Tensor | None = None,
        shares: Tensor | None = None,
        label_smoothing: float = 0,
    ) -> Tensor:
        """Return the mean loss of (B, 1, H, W) images and put its gradients in place."""
        self._point_at_values()
        for index, parameter in self._parameters:
            self._gradients[index] = _gradient(parameter)
        loss = self._library.network_step(
            self._network,
            self._values,
            self._gradients,
            images.data_ptr(),
            len(images),
            labels.data_ptr(),
            _pointer(partners),
            _pointer(shares),
            label_smoothing,
        )
        for counter in self._counters:
            counter.add_(1)
        return torch.tensor(loss, dtype=torch.float32)

    def answer(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, K) logits, as the model gives them in eval mode."""
        self._point_at_values()
        logits = torch.empty(len(images), self.classes)
        self._library.network_answer(
            self._network, self._values, images.data_ptr(), len(images), logits.data_ptr()
        )
        return logits

    def _point_at_values(self) -> None:
        """Weights move in memory, as when their running mean takes their place."""
        for index, tensor in self._tensors:
            self._values[index] = tensor.data_ptr()


def _shape(layer: Layer) -> _Shape:
    norm = layer.norm
    return _Shape(
        layer.kind, layer.inputs, layer.outputs, layer.height, layer.width,
        layer.kernel, layer.stride, layer.padding,
        layer.module is not None and layer.module.bias is not None,
        norm is not None, layer.relu, layer.pool,
        0 if norm is None else norm.eps,
        0 if norm is None else norm.momentum,
    )


def _tensors(layer: Layer) -> list[Tensor | None]:
    module, norm = layer.module, layer.norm
    return [
        *((None, None) if module is None else (module.weight, module.bias)),
        *((None,) * 4 if norm is None
          else (norm.weight, norm.bias, norm.running_mean, norm.running_var)),
    ]


def _gradient(parameter: nn.Parameter) -> int | None:
    if not parameter.requires_grad:
        parameter.grad = None
        return None
    if parameter.grad is None:
        parameter.grad = torch.empty_like(parameter)
    return parameter.grad.data_ptr()


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
