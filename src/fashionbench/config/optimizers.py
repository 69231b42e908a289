"""OPTIMIZERS: the one table of the update rules that a recipe may name. No torch in here.

training/optimizers.py has the rules; this table says what they are called, and where to start.
"""

from dataclasses import dataclass

__all__ = ["OPTIMIZERS", "OptimizerEntry"]


@dataclass(frozen=True)
class OptimizerEntry:
    """What an optimizer is in one line, the rate to start from, and the settings it has."""

    description: str
    learning_rate: float
    settings: tuple[str, ...] = ()


# In order of increasing complexity. The rates are those of the papers or of torch.
OPTIMIZERS: dict[str, OptimizerEntry] = {
    "sgd": OptimizerEntry("stochastic gradient descent", 0.1, ("momentum", "nesterov")),
    "adagrad": OptimizerEntry("Duchi et al. 2011", 0.01),
    "rmsprop": OptimizerEntry("Tieleman and Hinton 2012", 0.001, ("momentum",)),
    "adam": OptimizerEntry("Kingma and Ba 2014, arXiv 1412.6980", 0.001, ("betas",)),
    "adamw": OptimizerEntry("Loshchilov and Hutter 2017, arXiv 1711.05101", 0.001, ("betas",)),
    "nadam": OptimizerEntry("Dozat 2016", 0.002, ("betas",)),
    "lion": OptimizerEntry("Chen et al. 2023, arXiv 2302.06675", 0.0001, ("betas",)),
    "muon": OptimizerEntry(
        "Jordan 2024, matrices orthogonalized, the rest by AdamW; rates as AdamW's "
        "(Liu et al. 2025, arXiv 2502.16982)",
        0.001,
        ("momentum", "nesterov", "betas"),
    ),
}
