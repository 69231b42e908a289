"""OPTIMIZERS: torch's own update rules by the names that recipes use."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer

from fashionbench.config import OptimizerName, Recipe

__all__ = ["OPTIMIZERS", "build_optimizer"]

# In order of increasing complexity.
OPTIMIZERS: Mapping[OptimizerName, type[Optimizer]] = {
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
}

# One kernel updates all parameters; torch has no such kernel for RMSprop.
_FUSED = {"sgd", "adam"}


def build_optimizer(parameters: Iterable[Tensor], recipe: Recipe) -> Optimizer:
    """The recipe's optimizer over `parameters`, in torch's fastest version of it."""
    options: dict[str, object] = {"lr": recipe.learning_rate}
    if recipe.optimizer in _FUSED:
        options["fused"] = True
    return OPTIMIZERS[recipe.optimizer](parameters, **options)  # type: ignore[arg-type]
