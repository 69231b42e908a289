"""What bf16 costs on a CPU: one without units for it computes in it many times more slowly."""

import time
from collections.abc import Callable

from torch import nn

from fashionbench.config.recipe import Recipe
from fashionbench.core.copies import copy_model
from fashionbench.data.split import Split
from fashionbench.training.batches import count_steps, epoch_batches
from fashionbench.training.devices import reproducible
from fashionbench.training.step import Step

__all__ = ["price_of_bf16", "warn_of_bf16"]

TRIED = 3
"""Steps of each kind; the quickest of those after the first counts."""
WORTH_TELLING = 1.2


def warn_of_bf16(
    model: nn.Module, data: Split, recipe: Recipe, clock: Callable[[], float] = time.perf_counter
) -> str | None:
    """Say how many times as long a step takes in bf16; None where it costs nothing or is not used.

    On a CPU alone: accelerators that torch uses have units for it.
    """
    if recipe.precision != "bf16" or data.images.device.type != "cpu":
        return None
    price = price_of_bf16(model, data, recipe, clock)
    if price < WORTH_TELLING:
        return None
    return (
        f"in bf16 a step takes {price:.1f} times as long as in fp32, since this processor has no "
        "units for bf16 or gains nothing from them; with --precision fp32 it is quicker."
    )


def price_of_bf16(
    model: nn.Module, data: Split, recipe: Recipe, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Measure a step in bf16 beside one in fp32, on copies of the model."""
    few = Split(data.images[: recipe.batch_size], data.labels[: recipe.batch_size])
    seconds = {}
    with reproducible(few.images.device):
        (batch,) = epoch_batches(few, recipe, [0], 0)
        for precision in ("bf16", "fp32"):
            trial = copy_model(model)
            trial.train()
            used = recipe.model_copy(update={"precision": precision})
            step, times = Step(trial, used, count_steps(len(few), used), capture=False), []
            for _ in range(TRIED):
                start = clock()
                step(batch)
                times.append(clock() - start)
            seconds[precision] = min(times[1:])
    return seconds["bf16"] / max(seconds["fp32"], 1e-9)
