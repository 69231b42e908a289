"""How probable it is that a model is better by more than matters, about as good, or worse.

The interval of a difference, taken at every level at once, is a distribution of what the true
difference may be: half of the level lies beyond either end (a confidence distribution, Schweder and
Hjort 2002; of seeds alone it is the posterior of a Bayesian who begins without an opinion, as in
Benavoli et al. 2017, whose region of practical equivalence stands between the two sides).
"""

from dataclasses import dataclass, replace

from fashionbench.stats.difference import Difference

__all__ = ["Probabilities", "find_probabilities"]


@dataclass(frozen=True)
class Probabilities:
    """Of the true difference, for other seeds and other test images; together they are 1."""

    better: float
    """That it is larger than the smallest difference of interest."""
    within: float
    """That it is smaller than that in either direction."""
    worse: float
    """That it is below minus the smallest difference of interest."""

    def turned(self) -> "Probabilities":
        """Return those of the other of the two."""
        return replace(self, better=self.worse, worse=self.better)


def find_probabilities(found: Difference, smallest: float) -> Probabilities | None:
    """Return what is probable of a difference; None where its seeds tell nothing of others.

    They are about this pair alone and its seeds as they stand. Unlike the verdict, they are not
    adjusted for the number of pairs, nor for that of looks.
    """
    if found.p_value is None:
        return None
    spread = replace(found.spread, sequential=False)

    def above(value: float) -> float:
        beyond = spread.level_over_both(abs(found.difference - value)) / 2
        return 1 - beyond if found.difference > value else beyond

    better, worse = above(smallest), 1 - above(-smallest)
    return Probabilities(better, max(0.0, 1 - better - worse), worse)  # not less by rounding
