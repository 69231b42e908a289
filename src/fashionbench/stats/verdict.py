"""What follows from a difference of two models: better, worse, no difference, or not decided."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fashionbench.core.seeds import Source
from fashionbench.stats.difference import Difference
from fashionbench.stats.intervals import CONFIDENCE
from fashionbench.stats.sequential import seeds_needed
from fashionbench.stats.splits import OverSplits

__all__ = [
    "SMALLEST_DIFFERENCE",
    "Unit",
    "Verdict",
    "Word",
    "decide",
    "extend_to_splits",
    "interval_of_verdict",
]

SMALLEST_DIFFERENCE = 0.01
"""A difference of accuracies below this interests nobody, unless a comparison says otherwise."""

HELD: Mapping[Source, str] = {
    "weights": "from these first weights",
    "order": "in this order of the images",
    "augmentation": "with these draws of the augmentation",
}
"""For what a verdict holds where seeds did not vary something."""

Unit = Literal["seeds", "studies"]
Word = Literal["better", "worse", "no difference", "not decided"]


@dataclass(frozen=True)
class Verdict:
    """What follows from a difference and its p-value; `str` says it in words."""

    word: Word
    limit: float | None = None
    """Of "no difference": the largest that the seeds leave possible."""
    seeds_needed: int | None = None
    """Of "not decided": about how many seeds, or studies, would; None of more than a million."""
    holds_for_other_test_images: bool = False
    """Whether other test images can be expected to give the same verdict."""
    holds_for_other_splits: bool | None = None
    """Whether other splits can be expected to give the same verdict; None where that is open."""
    held: tuple[Source, ...] = ()
    """What was the same for all seeds though it could be random: the verdict is for that alone."""

    unit: Unit = "seeds"
    """What counts as one observation: where several studies tuned, each of them."""
    given_settings: bool = False
    """Whether it is about tuned settings without the luck of having chosen them."""

    def __str__(self) -> str:
        if self.word == "no difference" and self.limit is not None:
            words = f"no difference larger than {100 * self.limit:.2f} points"
        elif self.word == "not decided":
            needed = self.seeds_needed
            said = f"not decided; about {needed} {self.unit} would decide"
            return said if needed else "not decided"
        else:
            words = self.word
        places = [] if self.holds_for_other_test_images else ["on these test images"]
        places += ["on the official split"] if self.holds_for_other_splits is False else []
        places += [HELD[source] for source in self.held]
        places += ["given these settings"] if self.given_settings else []
        *first, last = places or [""]
        return f"{words} {', '.join(first)} and {last}" if first else f"{words} {last}".strip()

    def of_the_other(self) -> "Verdict":
        """Return the verdict on the other of the two."""
        other: dict[Word, Word] = {"better": "worse", "worse": "better"}
        return replace(self, word=other.get(self.word, self.word))


def decide(
    found: Difference,
    smallest: float = SMALLEST_DIFFERENCE,
    *,
    pairs: int = 1,
    sequential: bool = False,
    held: tuple[Source, ...] = (),
) -> Verdict:
    """Return the verdict on a, given p-values adjusted for all `pairs` that are judged together.

    A difference is denied where the seeds leave room for less than `smallest`. `held` is what the
    seeds of one of the two, or both, have in common.
    """
    verdict = Verdict("not decided", held=held)
    p_other_images = found.p_value_other_test_images
    if found.p_value is None or p_other_images is None or found.sd is None:
        return verdict
    alpha = 1 - CONFIDENCE
    if found.p_value < alpha:
        word: Word = "better" if found.difference > 0 else "worse"
        return replace(verdict, word=word, holds_for_other_test_images=p_other_images < alpha)
    if found.limit < smallest:
        return replace(
            verdict,
            word="no difference",
            limit=found.limit,
            holds_for_other_test_images=found.limit_other_test_images < smallest,
        )
    sought = max(abs(found.difference), smallest)
    needed = seeds_needed(sought, found.sd, alpha / pairs, sequential=sequential)
    return replace(verdict, seeds_needed=None if needed is None else max(needed, found.n + 1))


def extend_to_splits(
    verdict: Verdict, over_splits: OverSplits | None, smallest: float = SMALLEST_DIFFERENCE
) -> Verdict:
    """Add whether a verdict holds on other splits, given the difference on some dealt anew.

    Its p-value and limit are adjusted for all pairs, as those of the verdict are.
    """
    if over_splits is None or verdict.word == "not decided":
        return verdict
    if verdict.word == "no difference":
        holds = over_splits.limit < smallest
    else:
        p_value = over_splits.p_value
        same_sign = (over_splits.mean > 0) == (verdict.word == "better")
        holds = p_value is not None and p_value < 1 - CONFIDENCE and same_sign
    return replace(verdict, holds_for_other_splits=holds)


def interval_of_verdict(
    verdict: Verdict, found: Difference, factors: tuple[float | None, float | None], pairs: int
) -> tuple[float, float]:
    """Return the interval that a verdict is read from, which is never at odds with it.

    It is for other seeds, and for other test images too where the verdict holds for these, at 95 %
    for all `pairs` together (Bonferroni). Where Holm's adjustment, which tells more apart, decides
    and that interval does not, it is the one at Holm's level: `factors` are those of the two
    p-values, over seeds and over seeds and images. Infinite where seeds are too few.
    """
    mean, spread, alpha = found.difference, found.spread, 1 - CONFIDENCE
    if found.p_value is None:
        return -math.inf, math.inf
    with_images = verdict.holds_for_other_test_images

    def interval(alpha: float) -> tuple[float, float]:
        if not with_images and verdict.word != "no difference":
            return spread.interval_of_test(alpha, pairs)
        half = spread.over_both(alpha) if with_images else spread.over_seeds(alpha)
        return mean - half, mean + half

    low, high = interval(alpha / pairs)
    if verdict.word in ("better", "worse") and low <= 0 <= high:
        low, high = interval(alpha / (factors[with_images] or pairs))
    return max(low, -1.0), min(high, 1.0)
