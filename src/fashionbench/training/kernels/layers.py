"""A model -> the row of layers that it is, as the C function takes them; None where it is none.

The model's forward pass is traced (torch.fx), so it does not matter how it is written down:
Sequentials within Sequentials, or a line a layer with torch.nn.functional.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from fashionbench.core.copies import copy_model
from fashionbench.core.global_state import generator_states, preserved, silent
from fashionbench.core.snapshot import plain_state

__all__ = ["CONVOLUTION", "MATRIX", "MEAN", "Layer", "find_layers"]

CONVOLUTION, MEAN, MATRIX = range(3)
"""Kinds of layers, in the order of the C source."""
MOST_CHANNELS = 64
LARGEST_KERNEL = 7
LARGEST_MATRIX = 2**16
"""Numbers of a matrix above which torch's products are faster."""


@dataclass
class Layer:
    """A convolution, a mean over all places or a matrix, with what follows it."""

    kind: int
    inputs: int
    outputs: int
    height: int
    width: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    module: nn.Conv2d | nn.Linear | None = None
    norm: nn.BatchNorm2d | None = None
    relu: bool = False
    pool: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of its output."""
        if self.kind != CONVOLUTION:
            return self.outputs, 1, 1
        height, width = (
            (side + 2 * self.padding - self.kernel) // self.stride + 1
            for side in (self.height, self.width)
        )
        return (
            (self.outputs, height // 2, width // 2) if self.pool else (self.outputs, height, width)
        )


class _NotInARow(Exception):
    """The model is something else than a row of the layers that are known here."""


def find_layers(
    model: nn.Module, height: int, width: int, anew: Callable[[], nn.Module] | None = None
) -> list[Layer] | None:
    """Read a model for (B, 1, height, width) images as a row of layers; None where it is none.

    What is found is what the forward pass says in the mode that the model is in. Nothing that a
    person attached to it (hooks, parametrizations, tensors used twice) may be overlooked, so each
    of these makes it none, and so does a forward pass that changes what the model holds or draws
    random numbers: it would no longer be run. Nor may `train` change more than modes. A copy is
    traced; `anew` is copy_model's.
    """
    if _has_hooks(model):
        return None
    try:
        with preserved(), silent():
            rehearsal = copy_model(model, anew)
            before, generators = plain_state(rehearsal), generator_states()
            rehearsal.train(model.training)
            graph = _trace(rehearsal)
            row = _Row(model, (1, height, width))
            row.read(graph)
            changed = plain_state(rehearsal) != before or generator_states() != generators
    except Exception:  # whatever a person's own code may raise, given no images to compute with
        return None
    modules = [module for layer in row.layers for module in (layer.module, layer.norm)]
    used = [id(p) for module in modules if module is not None for p in module.parameters()]
    is_plain = not changed and len(set(used)) == len(used)
    return row.layers if is_plain and row.is_whole else None


def _trace(model: nn.Module) -> fx.Graph:
    """Record a forward pass; the model is of no use afterwards.

    torch.fx's own `trace` has every module of the process record, while it lasts: also those that
    other threads compute with.
    """
    tracer, graph = fx.Tracer(), fx.Graph()
    tracer.root, tracer.graph = model, graph

    def record(path: str, *arguments: Any, **options: Any) -> fx.Proxy:
        return tracer.create_proxy("call_module", path, arguments, options)

    for path, module in model.named_modules():
        if tracer.is_leaf_module(module, path) and "forward" not in vars(module):
            module.forward = partial(record, path)
    graph.output(tracer.create_arg(model(tracer.create_proxy("placeholder", "images", (), {}))))
    return graph


_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_post_accumulate_grad_hooks",
)


def _has_hooks(model: nn.Module) -> bool:
    """Tell whether a module, a parameter or torch, for all modules, calls a person's function."""
    parts = [*model.modules(), *model.parameters()]
    own = any(getattr(part, hooks, None) for part in parts for hooks in _HOOKS)
    return own or torch.nn.modules.module._has_any_global_hook()


@dataclass
class _Row:
    """The layers read so far, and the shape of what they give."""

    model: nn.Module
    shape: tuple[int, ...]
    layers: list[Layer] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return bool(self.layers) and len(self.shape) == 1 and self.layers[-1].kind == MATRIX

    def read(self, graph: fx.Graph) -> None:
        """Take in a graph's nodes; each computes on the one before, or on numbers alone."""
        images, *nodes, output = graph.nodes
        last = images
        numbers: set[fx.Node] = set()
        for node in nodes:
            if _is_about_sizes(node):
                numbers.add(node)
                continue
            if node.args[0] is not last or not numbers.issuperset(node.all_input_nodes[1:]):
                raise _NotInARow
            self._add(node)
            last = node
        if output.args[0] is not last:
            raise _NotInARow

    def _add(self, node: fx.Node) -> None:
        if node.op == "call_module":
            self._add_module(self.model.get_submodule(str(node.target)))
            return
        arguments: list[Any] = [*node.args[1:]]
        options: dict[str, Any] = {**node.kwargs}
        match node.target:
            case torch.relu | F.relu | "relu" | "relu_" | torch.relu_:
                self._relu()
            case torch.flatten | "flatten":
                self._flatten(*arguments, **options)
            case "view" | "reshape" | torch.reshape:
                self._reshape(*arguments)
            case F.max_pool2d | torch.max_pool2d:
                self._add_module(nn.MaxPool2d(*arguments, **options))
            case F.adaptive_avg_pool2d:
                self._add_module(nn.AdaptiveAvgPool2d(*arguments, **options))
            case _:
                raise _NotInARow

    def _add_module(self, module: Any) -> None:
        kind = type(module)
        if kind is nn.Conv2d:
            self._convolve(module)
        elif kind is nn.Linear:
            self._multiply(module)
        elif kind is nn.BatchNorm2d:
            self._normalize(module)
        elif kind is nn.ReLU:
            self._relu()
        elif kind is nn.MaxPool2d:
            self._pool(module)
        elif kind is nn.AdaptiveAvgPool2d:
            self._average(module)
        elif kind is nn.Flatten:
            self._flatten(module.start_dim, module.end_dim)
        elif kind in (nn.Dropout, nn.Dropout2d):
            self._drop(module)
        elif kind is not nn.Identity:
            raise _NotInARow

    def _convolve(self, module: nn.Conv2d) -> None:
        channels, height, width = self.shape
        (kernel, across), (stride, along) = module.kernel_size, module.stride
        known = (
            module.groups == 1
            and module.dilation == (1, 1)
            and module.padding_mode == "zeros"
            and isinstance(module.padding, tuple)
            and len(set(module.padding)) == 1
            and kernel == across <= LARGEST_KERNEL
            and stride == along <= 2
            and max(module.in_channels, module.out_channels) <= MOST_CHANNELS
            and module.in_channels == channels
        )
        if not known:
            raise _NotInARow
        padding = int(module.padding[0])
        layer = Layer(
            CONVOLUTION,
            channels,
            module.out_channels,
            height,
            width,
            kernel,
            stride,
            padding,
            module,
        )
        self._append(layer)

    def _multiply(self, module: nn.Linear) -> None:
        if self.shape != (module.in_features,) or module.weight.numel() > LARGEST_MATRIX:
            raise _NotInARow
        layer = Layer(MATRIX, module.in_features, module.out_features, 1, 1, module=module)
        self._append(layer)
        self.shape = self.shape[:1]

    def _average(self, module: nn.AdaptiveAvgPool2d) -> None:
        channels, height, width = self.shape
        if not self.layers or module.output_size not in (1, (1, 1)):
            raise _NotInARow
        self._append(Layer(MEAN, channels, channels, height, width))

    def _append(self, layer: Layer) -> None:
        self.layers.append(layer)
        self.shape = layer.shape
        if min(self.shape) < 1:
            raise _NotInARow

    def _last(self, kind: int) -> Layer:
        """Return the layer that something follows, of a kind."""
        if not self.layers or self.layers[-1].kind != kind:
            raise _NotInARow
        return self.layers[-1]

    def _normalize(self, module: nn.BatchNorm2d) -> None:
        layer = self._last(CONVOLUTION)
        plain = layer.norm is None and not layer.relu and not layer.pool
        usual = module.affine and module.track_running_stats and module.momentum is not None
        fits = module.num_features == layer.outputs
        varies = math.prod(self.shape[1:]) > 1  # also of a single image, or else torch refuses it
        if not (plain and usual and fits and varies):
            raise _NotInARow
        layer.norm = module

    def _relu(self) -> None:
        if not self.layers or self.layers[-1].kind == MEAN:
            raise _NotInARow
        self.layers[-1].relu = True  # once more changes nothing, nor does pooling in between

    def _pool(self, module: nn.MaxPool2d) -> None:
        layer = self._last(CONVOLUTION)
        usual = module.kernel_size in (2, (2, 2)) and module.stride in (2, (2, 2))
        plain = module.padding in (0, (0, 0)) and module.dilation in (1, (1, 1))
        if layer.pool or len(self.shape) != 3 or not (usual and plain) or module.ceil_mode:
            raise _NotInARow
        layer.pool = True
        self.shape = layer.shape
        if min(self.shape) < 1:
            raise _NotInARow

    def _drop(self, module: nn.Dropout | nn.Dropout2d) -> None:
        if module.training and module.p > 0:
            raise _NotInARow

    def _flatten(self, start_dim: int = 0, end_dim: int = -1) -> None:
        if start_dim != 1 or end_dim not in (-1, len(self.shape)):
            raise _NotInARow
        self.shape = (math.prod(self.shape),)

    def _reshape(self, *sizes: Any) -> None:
        """Only (B, features), however B and the features are written."""
        first, last = sizes[0] if len(sizes) == 1 else sizes
        features = math.prod(self.shape)
        if not (isinstance(first, fx.Node) and last in (-1, features)) and (first, last) != (
            -1,
            features,
        ):
            raise _NotInARow
        self.shape = (features,)


def _is_about_sizes(node: fx.Node) -> bool:
    """Tell whether a node asks for a tensor's sizes, or for one of them."""
    if node.op == "call_method":
        return bool(node.target == "size")
    if node.op == "call_function":
        asks_for_shape = node.target is getattr and bool(node.args[1] == "shape")
        return node.target is operator.getitem or asks_for_shape
    return False
