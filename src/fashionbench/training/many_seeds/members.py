"""The training loop for many seeds at once: M models of one kind, trained together.

A small model leaves most of a machine idle; M of them together do not. Each member has its own
first weights, order of images and augmentation, and ends where `fit` would take it, but for
rounding. What dropout drops is each member's own too, but drawn for all together: there a member
ends as one more seed would, not where `fit` would take it.
"""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from fashionbench.config.recipe import Recipe
from fashionbench.core.progress import progress_bar
from fashionbench.core.seeds import Seed, derive_seed
from fashionbench.data.split import Split, hold_out
from fashionbench.training.batches import count_steps, epoch_batches
from fashionbench.training.devices import (
    reproducible,
    resolve_device,
    retain_freed_memory,
    seed_generators,
    synchronize,
    threads_at_most,
)
from fashionbench.training.history import History
from fashionbench.training.losses import collect_losses, detach_loss
from fashionbench.training.many_seeds.group import GROUPS, Strategy

__all__ = ["fit_members"]


def fit_members(
    models: Sequence[nn.Module],
    data: Split,
    recipe: Recipe | Sequence[Recipe],
    seeds: Sequence[Seed],
    *,
    device: torch.device | str = "auto",
    strategy: Strategy = "stacked",
    description: str = "",
) -> list[History]:
    """Train models in place together, the k-th as `fit(models[k], data, recipe, seeds[k])` would.

    Recipes, where there is one for each model, differ in OWN_SETTINGS alone, such as the rate. The
    models are of one class and differ in their weights alone. `why_not_stackable` tells
    beforehand whether they can be "stacked", `can_use_streams` whether they can have "streams".
    Each stops on its own. `train_seconds` is None: a share of the group's wall clock is not a
    training time.
    """
    recipes = [recipe] * len(models) if isinstance(recipe, Recipe) else list(recipe)
    recipe, device = recipes[0], resolve_device(device)
    retain_freed_memory()
    for model in models:
        model.to(device)
    training, validation = hold_out(data.to(device), recipe.validation_images, recipe.train_images)
    steps = count_steps(len(training), recipe)
    group = GROUPS[strategy](models, recipes, steps, training.side)
    members = [_Member(model, seed) for model, seed in zip(models, seeds, strict=True)]
    going = members
    with (
        reproducible(device),
        # Kernels have threads of their own; torch's would wait beside them, at their cost.
        threads_at_most(1 if group.engine == "kernels" else None),
        progress_bar(total=recipe.epochs * steps, desc=description, unit="step") as bar,
    ):
        for epoch in range(recipe.epochs):
            seed_generators(device, derive_seed(seeds[0], "dropout", epoch))
            start, losses = time.perf_counter(), []
            for batch in epoch_batches(training, recipe, [m.seed for m in going], epoch):
                losses.append(detach_loss(group.step(batch)))
                bar.update()
            synchronize(device)
            seconds = (time.perf_counter() - start) / len(going)
            with group.averaged():
                for member, of_member in zip(going, collect_losses(losses).T, strict=True):
                    member.history.engine = group.engine
                    member.history.shared_seconds += seconds
                    member.finish_epoch(of_member, validation, recipe)
            rows = [k for k, member in enumerate(going) if not member.history.is_over(recipe)]
            group.select(rows)
            going = [going[row] for row in rows]
            if not going:
                break
    for member in members:
        member.restore_best()
    return [member.history for member in members]


@dataclass
class _Member:
    """One model of the group and what is known of its run."""

    model: nn.Module
    seed: Seed
    history: History = field(default_factory=lambda: History(train_seconds=None))
    best: dict[str, Tensor] | None = None

    def finish_epoch(self, losses: Tensor, validation: Split, recipe: Recipe) -> None:
        self.history.add_epoch(losses)
        self.history.validate(self.model, validation, recipe)
        if self.history.is_best(recipe):
            self.best = copy.deepcopy(self.model.state_dict())

    def restore_best(self) -> None:
        if self.best is not None:
            self.model.load_state_dict(self.best)
