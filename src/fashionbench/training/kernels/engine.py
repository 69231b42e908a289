"""The C function as a model's two passes: a batch in, mean loss and gradients out.

Of many models at once it computes each as it would alone: to the bit, on however many threads.
"""

import ctypes
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fashionbench.training.batch import Batch
from fashionbench.training.kernels.layers import MATRIX, Layer

__all__ = ["Engine"]

VALUES = 6
"""Tensors of a layer: weight, bias, gamma, beta, running mean, running variance."""

MOST_THREADS = 16
"""As many as there are groups of blocks in the C source."""


class _Shape(ctypes.Structure):
    """What the C source calls Shape."""

    _fields_ = [
        ("kind", ctypes.c_int32),
        ("inputs", ctypes.c_int32),
        ("outputs", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("kernel", ctypes.c_int32),
        ("stride", ctypes.c_int32),
        ("padding", ctypes.c_int32),
        ("bias", ctypes.c_int32),
        ("norm", ctypes.c_int32),
        ("relu", ctypes.c_int32),
        ("pool", ctypes.c_int32),
        ("epsilon", ctypes.c_float),
        ("momentum", ctypes.c_float),
    ]


class Engine:
    """The passes of M models of one kind, in their own parameters and buffers.

    `layers` are those of one of them, and `stacked` gives for each of its tensors that of all,
    whose first dimension is M; a model alone has its own. A step is of at most `images` of each
    member. Threads and memory are taken here and given back with the object. Raises MemoryError
    where there is too little.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        layers: Sequence[Layer],
        *,
        threads: int,
        images: int,
        members: int = 1,
        stacked: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    ) -> None:
        self.members = members
        self._library = library
        shapes = (_Shape * len(layers))(*map(_shape, layers))
        blocks = -(-images // library.team_lanes())
        if layers[0].kind == MATRIX:  # all blocks are of one group in the C source
            blocks = 1
        shares = members if members > 1 else blocks
        threads = min(threads, shares, MOST_THREADS)
        self._team = library.team_new(shapes, len(layers), members, threads, images)
        if not self._team:
            raise MemoryError(f"a network's step on {threads} threads")
        weakref.finalize(self, library.team_free, self._team)
        found = [tensor for layer in layers for tensor in _tensors(layer)]
        there = [(place, tensor) for place, tensor in enumerate(found) if tensor is not None]
        tensors = [(place, stacked(tensor)) for place, tensor in there]
        parameters = [
            (place, stacked(tensor)) for place, tensor in there if isinstance(tensor, nn.Parameter)
        ]
        self._parameters = [tensor for _, tensor in parameters]
        self._values = _Pointers(members, len(found), tensors)
        self._gradients = _Pointers(members, len(found), parameters)
        self._counters = [
            stacked(layer.norm.num_batches_tracked)
            for layer in layers
            if layer.norm is not None and layer.norm.num_batches_tracked is not None
        ]
        self._classes = layers[-1].outputs

    def knows(self, labels: Tensor) -> bool:
        """Tell whether the C source can read labels, each of one of the classes."""
        low, high = labels.aminmax()
        return labels.dtype == torch.int64 and int(low) >= 0 and int(high) < self._classes

    def differentiate(self, batch: Batch, label_smoothing: float = 0) -> Tensor:
        """Return the (M,) mean losses of a batch and put their gradients in place.

        The batch holds the images of one member after another.
        """
        images, labels = batch.images.contiguous(), batch.labels.contiguous()
        losses = torch.empty(self.members)
        self._library.team_step(
            self._team,
            self._values.of_tensors(),
            self._gradients.of(map(_gradient, self._parameters)),
            images.data_ptr(),
            len(images) // self.members,
            labels.data_ptr(),
            None if batch.partners is None else batch.partners.data_ptr(),
            None if batch.shares is None else batch.shares.data_ptr(),
            label_smoothing,
            losses.data_ptr(),
        )
        for counter in self._counters:
            counter.add_(1)
        return losses

    def answer(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) pixels -> (M, B, K) logits of the models in eval mode."""
        images = images.contiguous()
        logits = torch.empty(self.members, len(images), self._classes)
        self._library.team_answer(
            self._team,
            self._values.of_tensors(),
            images.data_ptr(),
            len(images),
            logits.data_ptr(),
        )
        return logits


class _Pointers:
    """Where the tensors of all members lie: (M, places) pointers, NULL where there is none."""

    def __init__(self, members: int, places: int, tensors: Sequence[tuple[int, Tensor]]) -> None:
        self._members, self._places = members, places
        self._tensors = [tensor for _, tensor in tensors]
        self._rows = [
            (place, tensor.stride(0) * tensor.element_size() if members > 1 else 0)
            for place, tensor in tensors
        ]
        self._pointers = (ctypes.c_void_p * (members * places))()
        self._bases: list[int | None] = []

    def of_tensors(self) -> Any:
        """Where they lie now: weights move, as when their running mean takes their place."""
        return self.of([tensor.data_ptr() for tensor in self._tensors])

    def of(self, bases: Any) -> Any:
        """Where they lie if the first member's lie there."""
        bases = [*bases]
        if bases != self._bases:
            self._bases = bases
            for (place, step), base in zip(self._rows, bases, strict=True):
                for member in range(self._members):
                    self._pointers[member * self._places + place] = (
                        None if base is None else base + member * step
                    )
        return self._pointers


def _shape(layer: Layer) -> _Shape:
    module, norm = layer.module, layer.norm
    return _Shape(
        kind=layer.kind,
        inputs=layer.inputs,
        outputs=layer.outputs,
        height=layer.height,
        width=layer.width,
        kernel=layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        bias=module is not None and module.bias is not None,
        norm=norm is not None,
        relu=layer.relu,
        pool=layer.pool,
        epsilon=0 if norm is None else norm.eps,
        momentum=0 if norm is None or norm.momentum is None else norm.momentum,
    )


def _tensors(layer: Layer) -> list[Tensor | None]:
    module, norm = layer.module, layer.norm
    of_module = [None, None] if module is None else [module.weight, module.bias]
    if norm is None:
        return [*of_module, None, None, None, None]
    return [*of_module, norm.weight, norm.bias, norm.running_mean, norm.running_var]


def _gradient(parameter: Tensor) -> int | None:
    """Where a parameter's gradient is to be written; nowhere if it is frozen."""
    if not parameter.requires_grad:
        parameter.grad = None
        return None
    if parameter.grad is None:
        parameter.grad = torch.empty_like(parameter)
    return parameter.grad.data_ptr()
