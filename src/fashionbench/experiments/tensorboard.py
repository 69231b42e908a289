"""A training run's curve as TensorBoard events."""

from functools import cached_property
from pathlib import Path
from typing import Any

from fashionbench.config.recipe import Recipe
from fashionbench.errors import MissingPackage
from fashionbench.experiments.tracking import list_epochs
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
        rate = self._recipe.learning_rate_at((epoch - 1) * 1000, 1000, find_schedule(self._recipe))
        for name, value in {**list_epochs(history)[-1], "learning_rate": rate}.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()
