"""On CUDA: a step's forward and backward pass, captured once as a graph and replayed.

A small model's step is some dozens of kernels of a few microseconds each, and to launch them one
by one takes longer than they do; a CUDA graph launches them together. The update stays outside:
its rate changes from step to step, which a graph could not follow.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from fashionbench.config.recipe import CROSS_ENTROPY, Recipe
from fashionbench.core.snapshot import is_known
from fashionbench.training.batch import Batch
from fashionbench.training.updater import Updater

__all__ = ["Captured", "can_be_captured", "repeats_itself"]

EAGER_CALLS = 3
"""Calls before the captured one, in which libraries choose kernels and set up their work space."""


def can_be_captured(model: nn.Module, updater: Updater) -> bool:
    """Tell whether every step launches the same kernels on the same memory of a CUDA device."""
    on_cuda = all(parameter.is_cuda for parameter in updater.parameters)
    return on_cuda and repeats_itself(model, updater.recipe)


def repeats_itself(model: nn.Module, recipe: Recipe) -> bool:
    """Tell whether every step is known to do the same operations.

    A person's module or loss may decide in Python, at every call, what a graph would fix for good.
    """
    own_loss = recipe.loss != CROSS_ENTROPY
    return is_known(model) and not recipe.trains_layers_apart and not own_loss


class Captured:
    """Both passes: from a batch to losses, and to gradients in `parameters`, replayed from a graph.

    `compute` runs them and forgets older gradients itself. A batch of another shape than the
    captured one, the short one at an epoch's end, is computed as usual.
    """

    def __init__(self, compute: Callable[[Batch], Tensor], parameters: Sequence[Tensor]) -> None:
        self.compute = compute
        self.parameters = parameters
        self._stream = torch.cuda.Stream()
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Batch) -> Tensor:
        """Return the losses; gradients stay those of this call until the next."""
        if self._graph is None and self._calls < EAGER_CALLS:
            self._calls += 1
            return self._aside(batch)
        if self._graph is None:
            self._capture(batch)
        if batch.images.shape != self._batch.images.shape:
            return self.compute(batch)
        for held, given in zip(self._batch.tensors(), batch.tensors(), strict=True):
            held.copy_(given)
        assert self._graph is not None
        self._graph.replay()
        # A short batch in between has put others in their place.
        for parameter, gradient in zip(self.parameters, self._gradients, strict=True):
            parameter.grad = gradient
        return self._losses.clone()

    def _aside(self, batch: Batch) -> Tensor:
        """Compute on the stream that is captured later, so that its work space is there then."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            losses = self.compute(batch)
        current.wait_stream(self._stream)
        return losses

    def _capture(self, batch: Batch) -> None:
        """Capture the graph: nothing is computed, but memory is laid out and kernels are noted."""
        self._batch = batch.clone()
        for parameter in self.parameters:
            parameter.grad = None  # so that gradients are laid out in the graph's own memory
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            self._losses = self.compute(self._batch)
        self._gradients = [parameter.grad for parameter in self.parameters]
        self._graph = graph
