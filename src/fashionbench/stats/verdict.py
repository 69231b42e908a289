"""What follows from a difference of two models: better, worse, no difference, or cannot tell."""

from dataclasses import dataclass
from typing import Literal

from fashionbench.stats.difference import CONFIDENCE, Difference, seeds_needed

__all__ = ["SMALLEST_DIFFERENCE", "Verdict", "decide"]

SMALLEST_DIFFERENCE = 0.01
"""A difference of accuracies below this interests nobody, unless a comparison says otherwise."""

Word = Literal["better", "worse", "no difference", "cannot tell"]


@dataclass(frozen=True)
class Verdict:
    """What follows from a difference and its p-value; `str` says it in words."""

    word: Word
    limit: float | None = None
    """Of "no difference": the largest that the seeds leave possible."""
    seeds: int | None = None
    """Of "cannot tell": about how many seeds would."""
    beyond_these_images: bool = False
    """Whether other test images can be expected to say the same."""
    one_start: bool = False
    """Whether the seeds of a model begin with the same weights, whose luck is then left out."""

    def __str__(self) -> str:
        if self.word == "no difference" and self.limit is not None:
            words = f"no difference larger than {100 * self.limit:.2f} points"
        elif self.word == "cannot tell":
            return f"cannot tell yet: about {self.seeds} seeds would" if self.seeds else self.word
        else:
            words = self.word
        places = [] if self.beyond_these_images else ["on these test images"]
        places += ["from these first weights"] if self.one_start else []
        return " ".join([words, " and ".join(places)]).strip()


def decide(
    found: Difference,
    smallest: float = SMALLEST_DIFFERENCE,
    *,
    pairs: int = 1,
    sequential: bool = False,
    one_start: bool = False,
) -> Verdict:
    """The verdict on a, given p-values adjusted for all `pairs` that are judged together.

    A difference is denied where the seeds leave room for less than `smallest`. With `one_start` the
    seeds of one of the two begin with the same weights.
    """
    if found.p_value is None or found.p_value_beyond is None or found.sd is None:
        return Verdict("cannot tell", one_start=one_start)
    alpha = 1 - CONFIDENCE
    if found.p_value < alpha:
        word: Word = "better" if found.difference > 0 else "worse"
        return Verdict(word, beyond_these_images=found.p_value_beyond < alpha, one_start=one_start)
    if found.limit < smallest:
        beyond = found.limit_beyond < smallest
        return Verdict(
            "no difference", limit=found.limit, beyond_these_images=beyond, one_start=one_start
        )
    sought = max(abs(found.difference), smallest)
    needed = seeds_needed(sought, found.sd, alpha / pairs, sequential=sequential)
    return Verdict("cannot tell", seeds=max(needed, found.n + 1), one_start=one_start)
