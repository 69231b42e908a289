"""A Step: one update of a model by a batch; and its warm-up, threads and precision."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from fashionbench.config.recipe import Recipe
from fashionbench.core.copies import copy_model
from fashionbench.data.split import Split
from fashionbench.training.batch import Batch
from fashionbench.training.batches import count_steps, epoch_batches
from fashionbench.training.cuda_graph import Captured, can_be_captured
from fashionbench.training.devices import reproducible, synchronize, threads_at_most
from fashionbench.training.kernels.engine import Engine
from fashionbench.training.kernels.verified import build_engine
from fashionbench.training.losses import batch_loss
from fashionbench.training.transfer import rate_factors
from fashionbench.training.updater import Updater

__all__ = ["Step", "forward_precision", "useful_threads", "warm_up"]

WARM_UP_STEPS = 5
ONE_THREADS_WORK = 1_000_000
"""Multiplications of a forward pass up to which two threads were never faster than one."""


class Step:
    """One update of a model: `differentiate` runs both passes, `updater` does the rest.

    An `engine` of the model computes the passes, or else torch does. With `capture` torch's are
    replayed from a CUDA graph where that is possible.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        steps_an_epoch: int,
        *,
        engine: Engine | None = None,
        capture: bool = True,
    ) -> None:
        parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
        factors = rate_factors(model, recipe)
        self.updater = Updater(parameters, buffers, recipe, steps_an_epoch, factors=factors)
        # Not a bound method: the object would hold itself, and its memory until it is collected.
        self.differentiate: Callable[[Batch], Tensor] = partial(_differentiate, model, self.updater)
        if engine is not None:
            self.differentiate = partial(_differentiate_by, engine, recipe)
        elif capture and can_be_captured(model, self.updater):
            self.differentiate = Captured(self.differentiate, self.updater.parameters)

    def __call__(self, batch: Batch) -> Tensor:
        """Update the model by a batch; return the mean loss, which stays on the device."""
        loss = self.differentiate(batch)
        self.updater.update()
        return loss


def _differentiate(model: nn.Module, updater: Updater, batch: Batch) -> Tensor:
    """Run forward and backward pass: return a batch's mean loss, and leave gradients by it."""
    with forward_precision(updater.recipe, batch.images.device):
        logits = model(batch.images)
    loss = batch_loss(logits.float(), batch, updater.recipe)
    updater.differentiate(loss)
    return loss.detach()


def _differentiate_by(engine: Engine, recipe: Recipe, batch: Batch) -> Tensor:
    return engine.differentiate(batch, recipe.label_smoothing)[0]


def forward_precision(recipe: Recipe, device: torch.device) -> AbstractContextManager[Any]:
    """Within, compute as a forward pass in training does: in fp32, or under autocast in bf16."""
    if recipe.precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def useful_threads(model: nn.Module, recipe: Recipe) -> int | None:
    """Return how many threads of the CPU a step is worth; None for all that torch may use.

    In a net as small as V0, threads gain nothing where they wait for each other briefly, and lose
    a third where they do not. A matrix costs a multiplication an element and image; what has more
    dimensions, as a convolution's weights, is used all over an image.
    """
    parameters = list(model.parameters())
    work = recipe.batch_size * sum(parameter.numel() for parameter in parameters)
    small = all(parameter.ndim <= 2 for parameter in parameters) and work <= ONE_THREADS_WORK
    return 1 if small else None


def warm_up(
    model: nn.Module,
    training: Split,
    recipe: Recipe,
    anew: Callable[[], nn.Module] | None = None,
) -> float:
    """Train a copy for a few steps, so that one-time costs fall outside the clock; return seconds.

    `anew` is copy_model's.
    """
    if recipe.epochs == 0:
        return 0.0
    start = time.perf_counter()
    device = training.images.device
    with reproducible(device), threads_at_most(useful_threads(model, recipe)):
        rehearsal = copy_model(model, anew)
        rehearsal.train()
        threads = torch.get_num_threads()
        engine = build_engine(rehearsal, training, recipe, threads=threads)
        steps = count_steps(len(training), recipe)
        step = Step(rehearsal, recipe, steps, engine=engine, capture=False)
        batches = [*islice(epoch_batches(training, recipe, [0], 0), WARM_UP_STEPS)]
        # The short batch at an epoch's end has kernels of its own to choose.
        short = len(training) % recipe.batch_size or recipe.batch_size
        for batch in [*batches, batches[-1].first(short)]:
            step(batch)
    synchronize(device)
    return time.perf_counter() - start
