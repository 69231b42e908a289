"""The update rules of OPTIMIZERS: gradients -> new weights. All of them work for members at once.

For M members every parameter has a first dimension M; element by element an optimizer does not
notice. Where it would (matrices, what is a bias) this module takes the first dimension for what
it is.

Two things here are not torch's public interface. `torch._fused_sgd_` and `torch._foreach_*` are the
kernels under torch's own optimizers, called without the Python around them, which takes longer than
the update of a small model. That is safe since each is compared with torch's plain implementation
in the tests, for every setting of a recipe; a kernel that is renamed, or takes other arguments,
ends training in its first step. And `add_param_group` and `state_dict` are unwrapped from torch's
compiler: without a wrapper there, they are what they were.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from fashionbench.config.recipe import Recipe
from fashionbench.training.own_parts import build_own_optimizer, takes

__all__ = ["DECOUPLED", "SGD", "Lion", "Muon", "Rule", "build_optimizer", "pulls_at"]

DECOUPLED = frozenset({"adamw", "lion", "muon"})
"""The rules whose weight decay is no part of the gradient (Loshchilov and Hutter 2017)."""


class Rule(Optimizer):
    """An optimizer of this module, which says in `update` what happens to a group of parameters."""

    # Torch's own, without torch's compiler around it, which takes a second to import.
    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    state_dict = inspect.unwrap(Optimizer.state_dict)

    def update(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> None:
        """Update parameters in place by gradients and a group's settings."""
        raise NotImplementedError

    @torch.no_grad()
    def update_all(self) -> None:
        """Do what `step` does, without the profiler's and the hooks' part in it.

        For a model as small as V0 those take longer than the update.
        """
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:  # none where all of a group are frozen
                self.update(group, parameters, [p.grad for p in parameters])

    def step(self) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        self.update_all()

    def means(self, parameters: list[Tensor], name: str) -> list[Tensor]:
        """Return the running mean called `name` of each parameter, zero at first."""
        for p in parameters:
            if name not in self.state[p]:
                self.state[p][name] = torch.zeros_like(p)
        return [self.state[p][name] for p in parameters]


class SGD(Rule, torch.optim.SGD):  # type: ignore[misc]  # its step takes no closure
    """torch's SGD by its fused kernel, which is private, at less cost a step."""

    def update(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> None:
        torch._fused_sgd_(
            parameters,
            gradients,
            self.means(parameters, "mean") if group["momentum"] else [],
            lr=group["lr"],
            momentum=group["momentum"],
            nesterov=group["nesterov"],
            weight_decay=group["weight_decay"],
            dampening=0,
            maximize=False,
            is_first_step=False,  # means of zero make the first step like all others
        )


class Lion(Rule):
    """Steps of one size, in the sign of an interpolated mean of gradients.

    Chen et al. 2023, Symbolic Discovery of Optimization Algorithms, arXiv 2302.06675.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def update(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> None:
        (beta1, beta2), lr = group["betas"], group["lr"]
        means = self.means(parameters, "mean")
        directions = torch._foreach_lerp(means, gradients, 1 - beta1)
        torch._foreach_mul_(parameters, 1 - lr * group["weight_decay"])
        torch._foreach_sign_(directions)
        torch._foreach_add_(parameters, directions, alpha=-lr)
        torch._foreach_lerp_(means, gradients, 1 - beta2)


class Muon(Rule):
    """Momentum whose matrices are orthogonalized; what is no matrix is updated by AdamW.

    Jordan 2024, kellerjordan.github.io/posts/muon, with the scale of Liu et al. 2025, arXiv
    2502.16982, under which matrices and the rest share one learning rate. Departures: float32
    throughout; convolutions' weights are taken as (O, I x 3 x 3) matrices; and every matrix is
    orthogonalized, also the last layer and embeddings, which Jordan leaves to AdamW. Groups with
    `matrices` hold parameters whose last dimensions, from `stacked` on, are those.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.95,
        nesterov: bool = True,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "betas": betas,
            "weight_decay": weight_decay,
            "matrices": False,
            "stacked": 0,
        }
        super().__init__(params, defaults)

    def update(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> None:
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        if not group["matrices"]:
            self._adam(group, parameters, gradients)
            return
        momentum = group["momentum"]
        means = self.means(parameters, "mean")
        torch._foreach_lerp_(means, gradients, 1 - momentum)
        if group["nesterov"]:
            means = list(torch._foreach_lerp(gradients, means, momentum))
        for p, mean in zip(parameters, means, strict=True):
            matrix = mean.flatten(group["stacked"] + 1)
            scale = 0.2 * max(matrix.shape[-2:]) ** 0.5
            p.add_(orthogonalize(matrix).view_as(p), alpha=-group["lr"] * scale)

    def _adam(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> None:
        (beta1, beta2), steps = group["betas"], [self._count_step(p) for p in parameters]
        means, squares = self.means(parameters, "mean"), self.means(parameters, "square")
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        divisors = torch._foreach_div(squares, [1 - beta2**n for n in steps])
        torch._foreach_sqrt_(divisors)
        torch._foreach_add_(divisors, 1e-8)
        rates = [-group["lr"] / (1 - beta1**n) for n in steps]
        torch._foreach_addcdiv_(parameters, means, divisors, rates)

    def _count_step(self, parameter: Tensor) -> int:
        """Return which of its steps a parameter takes now: one that was frozen begins at 1."""
        state = self.state[parameter]
        state["steps"] = state.get("steps", 0) + 1
        return int(state["steps"])


def orthogonalize(matrices: Tensor) -> Tensor:
    """Return about U V^T for each (..., A, B) matrix U S V^T.

    By five Newton-Schulz steps (Jordan 2024).
    """
    wide = matrices.mT if matrices.shape[-2] > matrices.shape[-1] else matrices
    x = wide / wide.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    orthogonal: Tensor = x.mT if wide is not matrices else x
    return orthogonal


# In torch's fastest version of each: one kernel for all parameters where it has one.
_RULES: Mapping[str, tuple[Callable[..., Optimizer], dict[str, Any]]] = {
    "sgd": (SGD, {}),
    "adagrad": (torch.optim.Adagrad, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "nadam": (torch.optim.NAdam, {}),
    "lion": (Lion, {}),
    "muon": (Muon, {}),
}


def _build_own(
    recipe: Recipe, groups: Sequence[dict[str, Any]], lr: float, **given: Any
) -> Optimizer:
    """Build a person's own; where it takes no weight decay, no group says what it is."""
    del lr, given  # it is given what of the recipe it takes
    if takes(recipe.optimizer, "weight_decay"):
        return build_own_optimizer(recipe, groups)
    others = [{key: group[key] for key in group if key != "weight_decay"} for group in groups]
    return build_own_optimizer(recipe, others)


def pulls_at(parameter: Tensor, *, stacked: bool) -> bool:
    """Tell whether weight decay pulls at a parameter: a matrix or kernel, of each member."""
    return parameter.ndim - stacked >= 2


def build_optimizer(
    parameters: Iterable[Tensor],
    recipe: Recipe,
    *,
    stacked: bool = False,
    factors: Sequence[float] | None = None,
) -> Optimizer:
    """Build the recipe's optimizer of `parameters`, whose first dimension is M where `stacked`.

    Weight decay pulls at matrices and kernels alone, not at biases and the scales of norms.
    `factors` multiply each parameter's learning rate, as a group's "factor" says; 1 if absent.
    """
    build, options = _RULES.get(recipe.optimizer, (partial(_build_own, recipe), {}))
    given = {name: getattr(recipe, name) for name in ("momentum", "nesterov", "betas")}
    options = options | {name: value for name, value in given.items() if value is not None}
    muon = recipe.optimizer == "muon"
    apart = muon or recipe.weight_decay != 0  # else one group, one kernel
    parameters = list(parameters)
    pairs = zip(parameters, factors or [1.0] * len(parameters), strict=True)
    found = [(pulls_at(p, stacked=stacked), factor, p) for p, factor in pairs]
    groups: dict[tuple[bool, float], list[Tensor]] = {}
    for matrix, factor, parameter in sorted(found, key=lambda row: not row[0]):
        groups.setdefault((matrix or not apart, factor), []).append(parameter)
    return build(
        [
            {
                "params": members,
                "factor": factor,
                "weight_decay": recipe.weight_decay if matrices else 0,
                **({"matrices": True, "stacked": int(stacked)} if muon and matrices else {}),
            }
            for (matrices, factor), members in groups.items()
        ],
        lr=recipe.learning_rate,
        **options,
    )
