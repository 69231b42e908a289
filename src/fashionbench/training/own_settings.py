"""Members of a stack with settings of their own, such as a learning rate each: trained together.

A rate is the last thing that every update rule multiplies by. So one rule steps from zero at a rate
of 1, for all members at once, and each member is moved by its own share of that step.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.config.recipe import Recipe
from fashionbench.training.optimizers import DECOUPLED, build_optimizer, pulls_at
from fashionbench.training.own_parts import find_schedule

__all__ = ["OWN_SETTINGS", "OwnSettings", "differ", "differing_settings"]

OWN_SETTINGS = ("learning_rate", "warm_up", "weight_decay", "gradient_clip")
"""What members of one stack may have values of their own of; all else is the stack's."""


def differ(recipes: Sequence[Recipe]) -> bool:
    """Tell whether members of a stack have values of their own of any setting."""
    return any(
        getattr(recipe, name) != getattr(recipes[0], name)
        for recipe in recipes[1:]
        for name in OWN_SETTINGS
    )


def differing_settings(recipes: Sequence[Recipe]) -> list[str]:
    """List the settings that differ between recipes, and that members of a stack would share.

    A person's own optimizer may do anything with its rate, so that its members share all.
    """
    first = recipes[0].unnamed
    own = OWN_SETTINGS if first.optimizer in OPTIMIZERS else ()
    return [
        name
        for name in Recipe.model_fields
        if name not in own
        and any(getattr(recipe.unnamed, name) != getattr(first, name) for recipe in recipes)
    ]


class OwnSettings:
    """The update of M members' `parameters`, each by the settings of its own recipe.

    What members' recipes have in common is read from the first.
    """

    def __init__(self, parameters: Sequence[Tensor], recipes: Sequence[Recipe]) -> None:
        self.recipes = list(recipes)
        self.parameters = list(parameters)
        self._steps = [torch.zeros_like(parameter) for parameter in parameters]
        at_one = recipes[0].model_copy(update={"learning_rate": 1.0, "weight_decay": 0.0})
        self.rule = build_optimizer(self._steps, at_one, stacked=True)
        for group in self.rule.param_groups:
            group["lr"] = 1.0
        self.largest_norms = self._find_largest_norms()
        self._rates: list[float] = []
        self._decoupled = recipes[0].optimizer in DECOUPLED
        self._decays = self._column([recipe.weight_decay for recipe in recipes])
        self._pulled = (
            [p for p in parameters if pulls_at(p, stacked=True)]
            if any(recipe.weight_decay for recipe in recipes)
            else []
        )

    def _find_largest_norms(self) -> Tensor | None:
        """Return (M,) norms at which gradients are clipped, infinite where not; None if none is."""
        norms = [recipe.gradient_clip for recipe in self.recipes]
        if all(norm is None for norm in norms):
            return None
        return self._column([float("inf") if norm is None else norm for norm in norms])

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=self.parameters[0].device)

    @torch.no_grad()
    def update(self, step: int, steps_an_epoch: int) -> None:
        """Update all parameters that have a gradient, at each member's rate of this step."""
        rates = [
            recipe.learning_rate_at(step, steps_an_epoch, find_schedule(recipe))
            for recipe in self.recipes
        ]
        if rates != self._rates:
            self._rates, self._rate = rates, self._column(rates)
        self._decay()
        torch._foreach_zero_(self._steps)
        for own, parameter in zip(self._steps, self.parameters, strict=True):
            own.grad = parameter.grad
        self.rule.step()
        for own, parameter in zip(self._steps, self.parameters, strict=True):
            if parameter.grad is not None:
                parameter.addcmul_(own, _along_members(self._rate, own))

    def _decay(self) -> None:
        """Pull weights towards zero: by the gradient, or beside it where the rule has it so."""
        for parameter in self._pulled:
            if parameter.grad is None:
                continue
            if self._decoupled:
                parameter.mul_(_along_members(1 - self._rate * self._decays, parameter))
            else:
                parameter.grad.addcmul_(parameter, _along_members(self._decays, parameter))


def _along_members(values: Tensor, like: Tensor) -> Tensor:
    """Give (M,) values the dimensions of a tensor whose first one is M."""
    return values.view(-1, *[1] * (like.ndim - 1))
