"""A person's own optimizers, losses and schedules: found in their files, tried, known by source.

An optimizer is a subclass of torch.optim.Optimizer, a loss a function of (B, K) logits and (B,)
labels, a schedule a function of a step and the number of steps to a share of the rate.
"""

import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fashionbench.config.recipe import Recipe, own_parts
from fashionbench.config.schedules import SCHEDULES
from fashionbench.core.global_state import seeded
from fashionbench.core.own_code import (
    describe_arguments,
    describe_error,
    importable_neighbours,
    locate,
)
from fashionbench.core.own_source import digest_source, digest_values, global_values
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.training.own_augmentations import identify_augmentations

__all__ = [
    "Loss",
    "build_own_optimizer",
    "find_own_loss",
    "find_schedule",
    "identify_parts",
    "takes",
]

Loss = Callable[[Tensor, Tensor], Tensor]
"""(B, K) logits and (B,) labels -> (B,) losses, or their mean."""

STEPS = 3
"""That an optimizer is tried with."""


@cache
def _find(reference: str) -> Callable[..., Any]:
    return locate(reference)


@cache
def find_own_loss(reference: str) -> Loss:
    """Return the function that `file.py:name` refers to; a class of modules is built once."""
    found = _find(reference)
    with importable_neighbours(reference):
        return found() if isinstance(found, type) else found


def find_schedule(recipe: Recipe) -> Callable[[int, int], float]:
    """Return a recipe's shape of the rate: of the table, or a person's own."""
    known = SCHEDULES.get(recipe.schedule)
    return known.shape if known is not None else _find(recipe.schedule)


def takes(reference: str, argument: str) -> bool:
    """Tell whether an optimizer's constructor has an argument of that name."""
    return argument in inspect.signature(_find(reference)).parameters


def build_own_optimizer(recipe: Recipe, groups: Iterable[dict[str, Any]]) -> Optimizer:
    """Build the optimizer that a recipe refers to; it is given what it takes of its settings."""
    build, reference = _find(recipe.optimizer), recipe.optimizer
    given = {"lr": recipe.learning_rate}
    for setting in ("momentum", "nesterov", "betas"):
        if getattr(recipe, setting) is not None:
            given[setting] = getattr(recipe, setting)
    with importable_neighbours(reference):
        optimizer: Optimizer = build(list(groups), **given)
    return optimizer


def identify_parts(recipe: Recipe) -> str:
    """Digest the sources of all that is a person's own in a recipe, each tried; "" for none.

    In the order of `own_parts`. Raises UsageError, in terms of the person's file and line, for one
    that cannot be found or does not do what it is for.
    """
    _find.cache_clear()  # the files may have been edited since
    find_own_loss.cache_clear()
    sources = [text for text in [identify_augmentations(recipe.augmentation)] if text]
    for setting, attempt in _ATTEMPTS.items():
        reference = getattr(recipe, setting)
        if reference not in own_parts(recipe):
            continue
        part = _find(reference)
        with importable_neighbours(reference), seeded(0):
            before = global_values(part)
            try:
                attempt(recipe)
            except FashionbenchError:
                raise
            except Exception as error:  # whatever a person's own code may raise
                raise UsageError(
                    f"{reference} cannot be used as {setting}: {describe_error(error)} "
                    f"{_CALLED[setting]}; it takes {describe_arguments(part)}."
                ) from None
            values = digest_values(before, global_values(part))
        sources.append(str(replace(digest_source(part, reference), values=values)))
    return "+".join(sources)


_CALLED = {
    "optimizer": "It is called with groups of parameters and lr, as torch.optim.SGD is",
    "loss": "It is called with (B, K) logits and (B,) labels",
    "schedule": "It is called with a step, from 0, and the number of steps",
}


def _try_optimizer(recipe: Recipe) -> None:
    name = recipe.optimizer
    if not (isinstance(_find(name), type) and issubclass(_find(name), Optimizer)):  # type: ignore[arg-type]
        raise UsageError(f"{name} is no subclass of torch.optim.Optimizer; make it one.")
    for setting in ("momentum", "nesterov", "betas", "weight_decay"):
        if getattr(recipe, setting) and not takes(name, setting):
            raise UsageError(f"{name} takes no {setting}; leave it out of the recipe.")
    once, again, still = (_take_steps(recipe, rate) for rate in (None, None, 0.0))
    first = _parameters()
    if not all(map(torch.equal, once, again)):
        raise UsageError(
            f"{name} takes other steps by the same gradients each time, so it draws numbers that "
            "no seed fixes; draw them with torch."
        )
    if not all(p.isfinite().all() for p in once):
        raise UsageError(
            f"{name} gives weights that are not finite within {STEPS} steps; lower the rate."
        )
    if all(map(torch.equal, once, first)):
        raise UsageError(f"{name} leaves all weights as they are; its step must change them.")
    if not all(map(torch.equal, still, first)):
        raise UsageError(
            f"{name} changes weights even at a rate of 0, so schedules would not reach it; read "
            "the rate from group['lr'] in each step, for each group in self.param_groups."
        )


def _parameters() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(sizes, generator=generator) for sizes in ((4, 3), (4,))]


def _take_steps(recipe: Recipe, rate: float | None) -> list[Tensor]:
    """Return parameters after a few steps by gradients that are the same each time."""
    with seeded(0):
        parameters = [nn.Parameter(tensor) for tensor in _parameters()]
        optimizer = build_own_optimizer(recipe, [{"params": parameters, "factor": 1.0}])
        generator = torch.Generator().manual_seed(1)
        for _ in range(STEPS):
            for parameter in parameters:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] if rate is None else rate
            optimizer.step()
        return [parameter.detach().clone() for parameter in parameters]


def _try_loss(recipe: Recipe) -> None:
    name, loss = recipe.loss, find_own_loss(recipe.loss)
    if isinstance(loss, nn.Module) and any(True for _ in loss.parameters()):
        raise UsageError(f"{name} has parameters, which nothing would train; give it none.")
    logits = torch.randn(6, 4).requires_grad_()
    found = loss(logits, torch.arange(6) % 4)
    if not isinstance(found, Tensor) or found.shape not in ((), (6,)):
        given = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise UsageError(
            f"{name} answers (6, 4) logits with {given}; give back a loss for each image, (6,), or "
            "their mean."
        )
    if recipe.mixing is not None and found.ndim == 0:
        raise UsageError(
            f"{name} gives the mean of losses, but mixing weighs those of each image; give back "
            "(B,) losses."
        )
    if not found.isfinite().all() or not found.requires_grad:
        raise UsageError(f"{name} gives a loss that is not finite or has no gradient.")
    again = loss(logits, torch.arange(6) % 4)
    if not torch.equal(found, again):
        raise UsageError(
            f"{name} gives the same logits another loss each time; let the loss depend on logits "
            "and labels alone."
        )


def _try_schedule(recipe: Recipe) -> None:
    name, shape = recipe.schedule, find_schedule(recipe)
    for step in range(10):
        factor = shape(step, 10)
        if not isinstance(factor, float | int) or not math.isfinite(factor) or factor < 0:
            raise UsageError(
                f"{name} gives {factor!r} at step {step} of 10; give a share of the rate, from 0."
            )


_ATTEMPTS = {"optimizer": _try_optimizer, "loss": _try_loss, "schedule": _try_schedule}
