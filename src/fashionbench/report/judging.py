"""Pairs of entries -> differences with p-values, intervals and verdicts, judged together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.seeds import PURPOSES
from fashionbench.report.dealt import compare_over_splits
from fashionbench.report.entries import Entry, Pair
from fashionbench.stats.difference import Difference, adjust, holm, holm_factors, mcnemar
from fashionbench.stats.probabilities import find_probabilities
from fashionbench.stats.splits import OverSplits
from fashionbench.stats.studies import compare_tuned
from fashionbench.stats.verdict import (
    SMALLEST_DIFFERENCE,
    Unit,
    decide,
    extend_to_splits,
    interval_of_verdict,
)

__all__ = ["Judging"]

Factors = tuple[float | None, float | None]
"""By what Holm multiplies the p-values of a pair: over seeds, and over test images too."""


@dataclass(frozen=True)
class Judging:
    """Judges the pairs of a comparison, given the labels and what was asked."""

    labels: NDArray[np.uint8]
    """True classes of the test images."""
    until: float | None
    """The difference down to which seeds were added after looking; None where they were fixed."""
    name: Callable[[Entry], str]

    @property
    def smallest(self) -> float:
        """The smallest difference of accuracies that is of interest."""
        return self.until or SMALLEST_DIFFERENCE

    @property
    def sequential(self) -> bool:
        """Whether seeds were added after looking."""
        return self.until is not None

    def judge(self, pairs: Sequence[tuple[Entry, Entry]]) -> list[Pair]:
        """Compare those that have finished seeds in common, p-values adjusted for their number."""
        pairs = [each for each in pairs if _shared_seeds(*each)]
        found = [self._difference(a, b, len(pairs)) for a, b in pairs]
        p_values = [(each.p_value, each.p_value_other_test_images) for each in found]
        by_holm = zip(*map(holm_factors, zip(*p_values, strict=True)), strict=True)
        judged = [
            self._judge(a, b, values, factors, len(pairs))
            for (a, b), values, factors in zip(pairs, found, by_holm, strict=True)
        ]
        return [
            replace(
                pair,
                over_splits=splits,
                verdict=extend_to_splits(pair.verdict, splits, self.smallest),
            )
            for pair, splits in zip(judged, _compare_over_splits(pairs), strict=True)
        ]

    def _difference(self, a: Entry, b: Entry, pairs: int) -> Difference:
        shared = _shared_seeds(a, b)
        first, second = (
            # What was only scored is the same whichever seed the other began with.
            entry.mark_correct(self.labels).repeat(len(shared), axis=0)
            if entry.is_only_scored
            else entry.mark_correct(self.labels)[[run.job.seed in shared for run in entry.runs]]
            for entry in (a, b)
        )
        studies = _shared_studies(a, b, shared)
        return compare_tuned(first, second, studies, pairs=pairs, sequential=self.sequential)

    def _judge(self, a: Entry, b: Entry, alone: Difference, factors: Factors, pairs: int) -> Pair:
        """Return a pair with its verdict; `factors` adjust the p-values of the pair `alone`."""
        found = replace(
            alone,
            p_value=adjust(alone.p_value, factors[0]),
            p_value_other_test_images=adjust(alone.p_value_other_test_images, factors[1]),
        )
        verdict = decide(
            found,
            self.smallest,
            pairs=pairs,
            sequential=self.sequential,
            held=tuple(source for source in PURPOSES if source in {*a.held, *b.held}),
        )
        if a.tuned or b.tuned:
            several = len({*a.studies, *b.studies}) > 1
            unit: Unit = "studies" if several else "seeds"
            verdict = replace(verdict, unit=unit, given_settings=not several)
        of_two_runs = len(a.runs) == len(b.runs) == 1
        return Pair(
            self.name(a),
            self.name(b),
            a,
            b,
            found,
            verdict,
            interval=interval_of_verdict(verdict, found, factors, pairs),
            probabilities=find_probabilities(found, self.smallest),
            mcnemar_p_value=mcnemar(*(each.mark_correct(self.labels)[0] for each in (a, b)))
            if of_two_runs
            else None,
        )


def _compare_over_splits(pairs: Sequence[tuple[Entry, Entry]]) -> list[OverSplits | None]:
    """Compare pairs on splits dealt anew, with p-values adjusted for all of them."""
    found = [compare_over_splits(a, b, pairs=len(pairs)) for a, b in pairs]
    p_values = holm([None if values is None else values.p_value for values in found])
    return [
        values and replace(values, p_value=p) for values, p in zip(found, p_values, strict=True)
    ]


def _shared_studies(a: Entry, b: Entry, shared: set[int]) -> list[int]:
    """List by which study's choice the runs of each shared seed were trained."""
    entry = a if a.tuned else b
    shares = zip(entry.runs, entry.studies, strict=True)
    found = [study for run, study in shares if run.job.seed in shared]
    return found if entry.tuned else [0] * len(shared)


def _shared_seeds(a: Entry, b: Entry) -> set[int]:
    found = [{run.job.seed for run in each.runs} for each in (a, b)]
    if a.is_only_scored or b.is_only_scored:
        return found[a.is_only_scored]  # two of them have one run each, from one seed
    return found[0] & found[1]
