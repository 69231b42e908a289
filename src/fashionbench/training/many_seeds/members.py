"""The training loop for many seeds at once: M models of one kind, stacked and trained together.

A small model leaves most of a machine idle; M of them in one batched product do not. Each
member has its own first weights, order of images and augmentation, and ends where `fit` would
take it, but for rounding. What dropout drops is each member's own too, but drawn for all
together: there a member ends as one more seed would, not where `fit` would take it.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from fashionbench.config.recipe import Recipe
from fashionbench.core.progress import progress_bar
from fashionbench.core.seeds import derive_seed
from fashionbench.data.datasets import Split, hold_out
from fashionbench.training.batches import epoch_batches, epoch_steps
from fashionbench.training.devices import (
    isolated,
    keep_freed_memory,
    resolve_device,
    seed_generators,
)
from fashionbench.training.loop import Fit
from fashionbench.training.many_seeds.stack import Stack
from fashionbench.training.many_seeds.streams import Abreast

__all__ = ["fit_members"]


def fit_members(
    models: Sequence[nn.Module],
    data: Split,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "auto",
    abreast: bool = False,
    description: str = "",
) -> list[Fit]:
    """Train models in place together, the k-th as `fit(models[k], data, recipe, seeds[k])` would.

    The models are of one class and differ in their weights alone; `trial`
    tells beforehand whether they can be stacked, `can_go_abreast` whether they can be trained
    beside each other instead. Each stops on its own. `train_seconds` is None: a share of the
    group's wall clock is not a training time.
    """
    device = resolve_device(device) if isinstance(device, str) else device
    keep_freed_memory()
    for model in models:
        model.to(device)
    training, validation = hold_out(data.to(device), recipe.validation_images, recipe.train_images)
    steps = epoch_steps(len(training), recipe)
    group = (Abreast if abreast else Stack)(models, recipe, steps)
    members = [_Member(model, seed) for model, seed in zip(models, seeds, strict=True)]
    going = members
    with (
        isolated(device),
        progress_bar(total=recipe.epochs * steps, desc=description, unit="step") as bar,
    ):
        for epoch in range(recipe.epochs):
            seed_generators(device, derive_seed(seeds[0], "dropout", epoch))
            losses = []
            for batch in epoch_batches(training, recipe, [m.seed for m in going], epoch):
                losses.append(group.step(batch))
                bar.update()
            group.show()
            for member, of_member in zip(going, torch.stack(losses).T, strict=True):
                member.finish_epoch(of_member, validation, recipe)
            rows = [k for k, member in enumerate(going) if not member.fit.is_over(recipe)]
            if not rows:
                break
            group.keep(rows)
            going = [going[row] for row in rows]
    return [member.fit for member in members]


@dataclass
class _Member:
    """One model of the stack and what is known of its run."""

    model: nn.Module
    seed: int
    fit: Fit = field(default_factory=lambda: Fit(train_seconds=None))
    best: dict[str, Tensor] | None = None

    def finish_epoch(self, losses: Tensor, validation: Split, recipe: Recipe) -> None:
        self.fit.add_epoch(losses)
        self.fit.validate(self.model, validation, recipe)
        if recipe.patience is not None and self.fit.best_epoch(recipe) == self.fit.epochs:
            self.best = copy.deepcopy(self.model.state_dict())
        if self.best is not None and self.fit.is_over(recipe):
            self.model.load_state_dict(self.best)
