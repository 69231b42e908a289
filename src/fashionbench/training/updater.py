"""An Updater: takes the steps of a training run by gradients, at the rate of the recipe's schedule.

It works for members at once too: then every parameter has a first dimension M, and the loss is the
sum of theirs. Members may have a learning rate each: see own_settings.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from fashionbench.config.recipe import Recipe
from fashionbench.training.optimizers import Rule, build_optimizer
from fashionbench.training.own_parts import find_schedule
from fashionbench.training.own_settings import OwnSettings

__all__ = ["Updater"]


class Updater:
    """Rate, gradients, clipping, update and running mean of the `parameters` that are trained.

    With `recipe.ema` there is a running mean of them and of `buffers`, which is in their place
    within `averaged`. `own` are the recipes of the members, where they differ in OWN_SETTINGS.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        recipe: Recipe,
        steps_an_epoch: int,
        *,
        stacked: bool = False,
        own: Sequence[Recipe] = (),
        factors: Sequence[float] | None = None,
    ) -> None:
        self.recipe = recipe
        self.steps_an_epoch = steps_an_epoch
        self.stacked = stacked
        self.steps = 0
        self.parameters = list(parameters.values())
        self._own = OwnSettings(self.parameters, own) if own else None
        self.optimizer = (
            build_optimizer(self.parameters, recipe, stacked=stacked, factors=factors)
            if self._own is None
            else self._own.rule
        )
        self._shape = find_schedule(recipe)
        rule = self.optimizer
        self._update_all = rule.update_all if isinstance(rule, Rule) else rule.step
        floats = [b for b in buffers.values() if b.is_floating_point()]
        self._followed = [*self.parameters, *floats] if recipe.ema else []
        self._means = [tensor.detach().clone() for tensor in self._followed]

    def step(self, loss: Tensor) -> None:
        """Update all parameters once, by a loss that depends on them."""
        self.differentiate(loss)
        self.update()

    def differentiate(self, loss: Tensor) -> None:
        """Put the loss's gradients in the place of older ones."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()

    def update(self) -> None:
        """Update all parameters once, by the gradients that they have."""
        largest = self.recipe.gradient_clip if self._own is None else self._own.largest_norms
        if largest is not None:
            self._clip(largest)
        if self._own is None:
            rate = self.recipe.learning_rate_at(self.steps, self.steps_an_epoch, self._shape)
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            self._update_all()
        else:
            self._own.update(self.steps, self.steps_an_epoch)
        self.steps += 1
        if self._followed:
            # A short mean at first, so that the untrained weights are soon forgotten.
            decay = min(self.recipe.ema, self.steps / (self.steps + 9))
            torch._foreach_lerp_(self._means, [t.detach() for t in self._followed], 1 - decay)

    def _clip(self, largest: float | Tensor) -> None:
        """Scale each member's whole gradient so that its norm is at most `largest`, or its own."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        first = gradients[0].shape[0] if self.stacked else 1
        norms = torch.stack([g.reshape(first, -1).norm(dim=1) for g in gradients]).norm(dim=0)
        scales = (largest / (norms + 1e-6)).clamp(max=1)
        for gradient in gradients:
            shape = (-1,) + (1,) * (gradient.ndim - 1)
            gradient.mul_(scales.view(shape) if self.stacked else scales[0])

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, put the running means in the weights' place, where there are any.

        No step may be taken within.
        """
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def use_average(self) -> None:
        """Leave the running means in the weights' place for good: no step may follow."""
        self._exchange()
        self._followed, self._means = [], []

    def _exchange(self) -> None:
        for tensor, mean in zip(self._followed, self._means, strict=True):
            tensor.data, mean.data = mean.data, tensor.data

    def state_dict(self) -> dict[str, Any]:
        """Return what a later process needs to go on: plain values and tensors."""
        return {
            "steps": self.steps,
            "optimizer": self.optimizer.state_dict(),
            "means": self._means,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.steps = state["steps"]
        self.optimizer.load_state_dict(state["optimizer"])
        for mean, saved in zip(self._means, state["means"], strict=True):
            mean.copy_(saved)
