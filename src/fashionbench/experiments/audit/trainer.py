"""A judge is trained on one part of the images after another: how, is chosen once for all."""

from collections.abc import Sequence

import torch
from torch import nn

from fashionbench.config.execution import Execution
from fashionbench.config.study import Job
from fashionbench.data.split import Dataset, Split
from fashionbench.experiments.gate import builder
from fashionbench.experiments.strategy import Choice, choose
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.members import fit_members

__all__ = ["Trainer"]


class Trainer:
    """Trains the models of `jobs`, which differ by their seed alone, on images like `data`'s.

    Several seeds are trained together where that is faster: tried out on the first part, it holds
    for the others, which are as large and have the same classes.
    """

    def __init__(self, jobs: Sequence[Job], data: Dataset, device: torch.device) -> None:
        self._jobs, self._device = jobs, device
        self._build = builder(jobs[0], data)
        self._choice: Choice | None = None

    def fit(self, training: Split) -> list[nn.Module]:
        """Train a new model for each job on a part that is on the device."""
        if self._choice is None:
            self._choice = self._choose(training)
        models = [self._build(job.seed) for job in self._jobs]
        recipe, seeds = self._jobs[0].recipe, [job.seed for job in self._jobs]
        if self._choice.strategy == "processes" or self._choice.strategy == "serial":
            for model, seed in zip(models, seeds, strict=True):
                fit(model, training, recipe, seed, device=self._device, description=f"seed {seed}")
            return models
        for first in range(0, len(models), self._choice.group_size):
            part = slice(first, first + self._choice.group_size)
            fit_members(
                models[part],
                training,
                recipe,
                seeds[part],
                device=self._device,
                strategy=self._choice.strategy,
                description=f"{len(models[part])} seeds",
            )
        return models

    def _choose(self, training: Split) -> Choice:
        if len(self._jobs) == 1:
            return Choice("serial", "there is one seed")
        return choose(self._build, self._jobs[0], training, Execution(jobs=1), len(self._jobs))
