"""A History: what a training run leaves behind, besides the trained weights in the model."""

import time
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from fashionbench.config.recipe import Recipe
from fashionbench.data.split import Split
from fashionbench.training.evaluation import evaluate

__all__ = ["Engines", "History"]

Engines = Literal["torch", "kernels"]
CURVE_POINTS = 20
"""Points of the loss curve in an epoch."""


@dataclass
class History:
    """How a training run went, epoch by epoch."""

    train_seconds: float | None = 0.0
    """Seconds for order, augmentation, forward and backward pass, and update: neither warm-up nor
    validation. None where the run shared the machine with others, so that no time is its own."""
    shared_seconds: float = 0.0
    """Its part of the same where runs are trained together: of M in a step an M-th."""
    warm_up_seconds: float = 0.0
    """Seconds that a copy of the model trained for before the clock ran."""
    validation_seconds: float = 0.0
    """Seconds for scoring the validation images, in all epochs."""
    engine: Engines = "torch"
    """What computed the passes: torch, or the C kernels for rows of small layers."""
    epochs: int = 0
    """Epochs that are done; fewer than the recipe's where training stopped early."""
    diverged: bool = False
    """Whether the training loss became infinite or no number, which ended training."""
    curve: list[tuple[float, float]] = field(default_factory=list, repr=False)
    """(epochs passed, mean training loss of the batches since the point before): 20 an epoch, or
    one a batch where there are fewer."""
    validation_curve: list[tuple[int, float, float]] = field(default_factory=list)
    """(epoch, mean loss, accuracy in [0, 1]) on the validation images, once an epoch; empty where
    the recipe holds none out."""

    def add_epoch(self, losses: Tensor) -> None:
        """Add an epoch by the (S,) losses of its steps."""
        steps = 0
        for part in losses.cpu().tensor_split(min(CURVE_POINTS, len(losses))):
            steps += len(part)
            self.curve.append((self.epochs + steps / len(losses), float(part.mean())))
        self.epochs += 1
        self.diverged = not bool(losses.isfinite().all())

    def validate(self, model: nn.Module, validation: Split, recipe: Recipe) -> None:
        """Score the weights that an epoch ended with on the validation images, if there are any."""
        if len(validation):
            start = time.perf_counter()
            scores = evaluate(model, validation, recipe.test_views)
            self.validation_curve.append((self.epochs, scores.loss, scores.accuracy))
            self.validation_seconds += time.perf_counter() - start

    def best_epoch(self, recipe: Recipe) -> int | None:
        """Return the last epoch that improved by enough; None where nothing was validated."""
        found, best = None, float("inf")
        for epoch, loss, accuracy in self.validation_curve:
            value = loss if recipe.monitor == "loss" else -accuracy
            if value < best - recipe.min_improvement:
                found, best = epoch, value
        return found

    def is_best(self, recipe: Recipe) -> bool:
        """Tell whether the weights of the last epoch are to be restored if none better follow."""
        return recipe.patience is not None and self.best_epoch(recipe) == self.epochs

    def is_over(self, recipe: Recipe) -> bool:
        """Tell whether all epochs are done, or no more of them would help."""
        waited = self.epochs - (self.best_epoch(recipe) or 0)
        impatient = recipe.patience is not None and waited >= recipe.patience
        return self.diverged or impatient or self.epochs >= recipe.epochs
