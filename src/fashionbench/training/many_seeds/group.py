"""A Group: members of one kind that take their steps together, by one of two strategies."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from torch import Tensor, nn

from fashionbench.config.recipe import Recipe
from fashionbench.training.batch import Batch
from fashionbench.training.history import Engines
from fashionbench.training.many_seeds.stack import Stack
from fashionbench.training.many_seeds.streams import Streams

__all__ = ["GROUPS", "Group", "Strategy"]

Strategy = Literal["stacked", "streams"]


class Group(Protocol):
    """M models that are trained together, each as it would be alone."""

    engine: Engines
    """What computes their passes."""

    def step(self, batch: Batch) -> Tensor:
        """Update every member by its part of a batch of M x B images; return (M,) losses."""

    def averaged(self) -> AbstractContextManager[None]:
        """Within, let the models hold what they are used with: with EMA the running means.

        No step may be taken within. Outside, what a member that goes on holds says nothing.
        """

    def select(self, rows: Sequence[int]) -> None:
        """Go on with the members in these rows; the others hold what they are used with."""


GROUPS: Mapping[
    Strategy, Callable[[Sequence[nn.Module], Sequence[Recipe], int, tuple[int, int]], Group]
] = {
    "stacked": Stack,
    "streams": lambda models, recipes, steps_an_epoch, side: Streams(
        models, recipes, steps_an_epoch
    ),
}
"""How models become a group, by their recipes, the steps of an epoch, and the images' side."""
