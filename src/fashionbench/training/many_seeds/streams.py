"""On CUDA: seeds beside each other, each with kernels and a stream of its own, in one graph.

Stacked, a convolution of many seeds is one of many groups, for which libraries have no fast kernels
beyond a few channels. But one run's kernels seldom fill a device, and others' then fit in beside
them. What a run computes is what it computes alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from fashionbench.config.recipe import Recipe
from fashionbench.training.batch import Batch
from fashionbench.training.cuda_graph import Captured
from fashionbench.training.history import Engines
from fashionbench.training.step import Step

__all__ = ["Streams"]


class Streams:
    """A Group of models that are trained in place, each by a step and a recipe of its own."""

    engine: Engines = "torch"

    def __init__(
        self, models: Sequence[nn.Module], recipes: Sequence[Recipe], steps_an_epoch: int
    ) -> None:
        for model in models:
            model.to(memory_format=torch.channels_last)
            model.train()
        # One graph holds all of them, and not one each.
        self._go_on_with(
            [
                Step(model, recipe, steps_an_epoch, capture=False)
                for model, recipe in zip(models, recipes, strict=True)
            ]
        )

    def _go_on_with(self, steps: Sequence[Step]) -> None:
        self._steps = list(steps)
        self._streams = [torch.cuda.Stream() for _ in steps]
        parameters = [tensor for step in steps for tensor in step.updater.parameters]
        self._differentiate = Captured(self._differentiate_each, parameters)

    def step(self, batch: Batch) -> Tensor:
        """Update every member by its part of the batch; return (M,) losses."""
        losses = self._differentiate(batch)
        for step in self._steps:
            step.updater.update()
        return losses

    def _differentiate_each(self, batch: Batch) -> Tensor:
        """Return (M,) losses. Streams part here and meet again, captured or not."""
        here, losses = torch.cuda.current_stream(), []
        parts = batch.chunk(len(self._steps))
        for step, part, stream in zip(self._steps, parts, self._streams, strict=True):
            stream.wait_stream(here)
            with torch.cuda.stream(stream):
                losses.append(step.differentiate(part))
        for stream in self._streams:
            here.wait_stream(stream)
        return torch.stack(losses)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, let the models hold what they are used with."""
        with ExitStack() as means:
            for step in self._steps:
                means.enter_context(step.updater.averaged())
            yield

    def select(self, rows: Sequence[int]) -> None:
        """Go on with the members in these rows; the others hold what they are used with."""
        for row, step in enumerate(self._steps):
            if row not in rows:
                step.updater.use_average()
        if 0 < len(rows) < len(self._steps):
            self._go_on_with([self._steps[row] for row in rows])
