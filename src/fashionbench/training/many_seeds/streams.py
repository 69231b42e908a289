"""On CUDA: seeds beside each other, each with kernels and a stream of its own, in one recording.

Stacked, a convolution of many seeds is one of many groups, for which libraries have no fast kernels
beyond a few channels. But one run's kernels seldom fill a device, and others' then fit in beside
them. What a run computes is what it computes alone.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from fashionbench.config.recipe import Recipe
from fashionbench.training.batches import Batch
from fashionbench.training.cuda_graph import Recording
from fashionbench.training.loop import passes
from fashionbench.training.optimizers import Updater

__all__ = ["Abreast"]


class Abreast:
    """M models that are trained in place, each by an updater of its own."""

    def __init__(self, models: Sequence[nn.Module], recipe: Recipe, steps_an_epoch: int) -> None:
        for model in models:
            model.to(memory_format=torch.channels_last)
            model.train()
        self._begin([passes(model, recipe, steps_an_epoch) for model in models])

    def _begin(self, runs: Sequence[tuple[Updater, Callable[[Batch], Tensor]]]) -> None:
        self._runs = list(runs)
        self._streams = [torch.cuda.Stream() for _ in runs]
        parameters = [tensor for updater, _ in runs for tensor in updater.parameters]
        self._differentiate = Recording(self._differentiated, parameters)

    def step(self, batch: Batch) -> Tensor:
        """One update of every member from its part of the batch; (M,) losses."""
        losses = self._differentiate(batch)
        for updater, _ in self._runs:
            updater.update()
        return losses

    def _differentiated(self, batch: Batch) -> Tensor:
        """(M,) losses. The streams part here and meet again, in a recording as outside of it."""
        here, losses = torch.cuda.current_stream(), []
        parts = zip(*(tensor.chunk(len(self._runs)) for tensor in batch.tensors()), strict=True)
        for (_, differentiate), part, stream in zip(self._runs, parts, self._streams, strict=True):
            stream.wait_stream(here)
            with torch.cuda.stream(stream):
                losses.append(differentiate(Batch(*part)))
        for stream in self._streams:
            here.wait_stream(stream)
        return torch.stack(losses)

    def show(self) -> None:
        """Give the models the weights that they are to be used with."""
        for updater, _ in self._runs:
            updater.swap()

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with the members in these rows alone, after `show`."""
        runs = [self._runs[row] for row in rows]
        for updater, _ in runs:
            updater.swap()
        if len(runs) < len(self._runs):
            self._begin(runs)
