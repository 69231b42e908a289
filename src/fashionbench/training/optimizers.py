"""The recipe's update rule: loss -> new weights. Everything here works for members at once too.

For M members every parameter has a first dimension M and the loss is the sum of theirs;
element by element an optimizer does not notice. Where it would (matrices, norms of
gradients, what is a bias) this module takes the first dimension for what it is.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from fashionbench.config.recipe import Recipe
from fashionbench.config.schedules import rate_factor

__all__ = ["SGD", "Lion", "Muon", "Updater", "build_optimizer"]


class _Rule(Optimizer):
    """An optimizer of this module: says what happens to a group of parameters."""

    # Torch's own, without torch's compiler around it, which takes a second to import.
    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    state_dict = inspect.unwrap(Optimizer.state_dict)

    def update(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> None:
        raise NotImplementedError

    @torch.no_grad()
    def update_all(self) -> None:
        """What `step` does, without the profiler's and the hooks' part in it.

        For a model as small as V0 those take longer than the update.
        """
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:  # none where all of a group are frozen
                self.update(group, parameters, [p.grad for p in parameters])

    def step(self) -> None:  # type: ignore[override]
        self.update_all()

    def means(self, parameters: list[Tensor], name: str) -> list[Tensor]:
        """A running mean a parameter, zero at first."""
        for p in parameters:
            if name not in self.state[p]:
                self.state[p][name] = torch.zeros_like(p)
        return [self.state[p][name] for p in parameters]


class SGD(_Rule, torch.optim.SGD):  # type: ignore[misc]  # its step takes no closure
    """torch's own in its fused form, at less cost a step."""

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


class Lion(_Rule):
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


class Muon(_Rule):
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
            "steps": 0,
        }
        super().__init__(params, defaults)

    def update(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> None:
        group["steps"] += 1
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
        (beta1, beta2), steps = group["betas"], group["steps"]
        means, squares = self.means(parameters, "mean"), self.means(parameters, "square")
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        divisors = torch._foreach_div(squares, 1 - beta2**steps)
        torch._foreach_sqrt_(divisors)
        torch._foreach_add_(divisors, 1e-8)
        torch._foreach_addcdiv_(parameters, means, divisors, -group["lr"] / (1 - beta1**steps))


def orthogonalize(matrices: Tensor) -> Tensor:
    """(..., A, B) -> about U V^T of each matrix U S V^T: five Newton-Schulz steps (Jordan 2024)."""
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


def build_optimizer(
    parameters: Iterable[Tensor],
    recipe: Recipe,
    *,
    stacked: bool = False,
    factors: Sequence[float] | None = None,
) -> Optimizer:
    """The recipe's optimizer over `parameters`, which have a first dimension M where `stacked`.

    Weight decay pulls at matrices and kernels alone, not at biases and the scales of norms.
    `factors` multiply each parameter's learning rate, as a group's "factor" says; 1 if absent.
    """
    build, options = _RULES[recipe.optimizer]
    given = {name: getattr(recipe, name) for name in ("momentum", "nesterov", "betas")}
    options = options | {name: value for name, value in given.items() if value is not None}
    muon = recipe.optimizer == "muon"
    apart = muon or recipe.weight_decay != 0  # else one group, one kernel
    parameters = list(parameters)
    pairs = zip(parameters, factors or [1.0] * len(parameters), strict=True)
    found = [(p.ndim - stacked >= 2, factor, p) for p, factor in pairs]
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


class Updater:
    """Takes the steps of a training run: rate, gradients, clipping, update, running mean.

    `parameters` are trained; with `recipe.ema` a running mean of them and of `buffers` is kept,
    which `swap` puts in their place and back.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        recipe: Recipe,
        steps_an_epoch: int,
        *,
        stacked: bool = False,
        factors: Sequence[float] | None = None,
    ) -> None:
        self.recipe = recipe
        self.steps_an_epoch = steps_an_epoch
        self.stacked = stacked
        self.steps = 0
        self.parameters = list(parameters.values())
        self.optimizer = build_optimizer(self.parameters, recipe, stacked=stacked, factors=factors)
        rule = self.optimizer
        self._update_all = rule.update_all if isinstance(rule, _Rule) else rule.step
        floats = [b for b in buffers.values() if b.is_floating_point()]
        self._followed = [*self.parameters, *floats] if recipe.ema else []
        self._means = [tensor.detach().clone() for tensor in self._followed]

    def step(self, loss: Tensor) -> None:
        """One update of all parameters from a loss that depends on them."""
        self.differentiate(loss)
        self.update()

    def differentiate(self, loss: Tensor) -> None:
        """Put the loss's gradients in the place of older ones."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()

    def update(self) -> None:
        """One update of all parameters by the gradients that they have."""
        rate = self.recipe.learning_rate * rate_factor(self.recipe, self.steps, self.steps_an_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        if self.recipe.gradient_clip is not None:
            self._clip(self.recipe.gradient_clip)
        self._update_all()
        self.steps += 1
        if self._followed:
            # A short mean at first, so that the untrained weights are soon forgotten.
            decay = min(self.recipe.ema, self.steps / (self.steps + 9))
            torch._foreach_lerp_(self._means, [t.detach() for t in self._followed], 1 - decay)

    def _clip(self, largest: float) -> None:
        """Scale each member's whole gradient so that its norm is at most `largest`."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        first = gradients[0].shape[0] if self.stacked else 1
        norms = torch.stack([g.reshape(first, -1).norm(dim=1) for g in gradients]).norm(dim=0)
        scales = (largest / (norms + 1e-6)).clamp(max=1)
        for gradient in gradients:
            shape = (-1,) + (1,) * (gradient.ndim - 1)
            gradient.mul_(scales.view(shape) if self.stacked else scales[0])

    def swap(self) -> None:
        """Exchange weights and their running mean, where there is one."""
        for tensor, mean in zip(self._followed, self._means, strict=True):
            tensor.data, mean.data = mean.data, tensor.data

    def state_dict(self) -> dict[str, Any]:
        """What a later process needs to go on: plain values and tensors."""
        return {
            "steps": self.steps,
            "optimizer": self.optimizer.state_dict(),
            "means": self._means,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.steps = state["steps"]
        self.optimizer.load_state_dict(state["optimizer"])
        for mean, kept in zip(self._means, state["means"], strict=True):
            mean.copy_(kept)
