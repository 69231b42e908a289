"""A training run's curve as TensorBoard events."""

from functools import cached_property
from pathlib import Path
from typing import Any

from fashionbench.config.recipe import Recipe
from fashionbench.errors import MissingPackage
from fashionbench.training.history import History
from fashionbench.training.own_parts import find_schedule

__all__ = ["TensorBoard"]


class TensorBoard:
    """Writes each epoch's losses, validation accuracy and learning rate into `folder`."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        """Raise UsageError where TensorBoard is not installed; the folder is made later."""
        try:
            import torch.utils.tensorboard  # noqa: F401
        except ImportError:
            raise MissingPackage("--track", "tensorboard", extra="track") from None
        self._folder, self._recipe = folder, recipe

    @cached_property
    def _writer(self) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self._folder))

    def __call__(self, history: History) -> None:
        """Add the epoch that has just ended."""
        epoch = history.epochs
        losses = [loss for at, loss in history.curve if at > epoch - 1]
        scalars = {
            "loss/training": sum(losses) / len(losses),
            "learning rate": self._recipe.learning_rate_at(
                (epoch - 1) * 1000, 1000, find_schedule(self._recipe)
            ),
        }
        if history.validation_curve:
            _, loss, accuracy = history.validation_curve[-1]
            scalars |= {"loss/validation": loss, "accuracy/validation": accuracy}
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()
