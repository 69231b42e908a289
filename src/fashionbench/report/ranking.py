"""The rows of a comparison by accuracy, and the places that the verdicts leave to each."""

from collections.abc import Sequence
from dataclasses import dataclass

from fashionbench.report.entries import Entry, Pair
from fashionbench.stats.verdict import Verdict

__all__ = ["Ranked", "rank"]


@dataclass(frozen=True)
class Ranked:
    """An entry, its possible places, and how it compares with the entry of the highest mean."""

    entry: Entry
    first: int
    """The best place that is possible: 1, and one more for every entry that is better."""
    last: int
    """The worst one."""
    verdict: Verdict | None
    """On this entry against the one with the highest mean; None for that one itself."""
    pair: Pair | None
    """The two of them, in the order in which they were asked for."""


def rank(entries: Sequence[Entry], pairs: Sequence[Pair]) -> list[Ranked]:
    """Sort entries by their mean accuracy, the highest first.

    Only what is decided moves a place, so all places hold together as the verdicts do.
    """
    ordered = sorted(entries, key=lambda entry: -entry.mean_accuracy)
    of_best = {
        id(pair.second if pair.first is ordered[0] else pair.first): pair
        for pair in pairs
        if ordered[0] in (pair.first, pair.second)
    }
    better, worse = ({id(entry): 0 for entry in entries} for _ in range(2))
    for pair in pairs:
        if pair.verdict.word in ("better", "worse"):
            won, lost = pair.first, pair.second
            if pair.verdict.word == "worse":
                won, lost = lost, won
            better[id(lost)] += 1
            worse[id(won)] += 1
    ranked = []
    for entry in ordered:
        beside_best, verdict = of_best.get(id(entry)), None
        if beside_best is not None:
            verdict = beside_best.verdict
            verdict = verdict if beside_best.first is entry else verdict.of_the_other()
        first, last = 1 + better[id(entry)], len(entries) - worse[id(entry)]
        ranked.append(Ranked(entry, first, last, verdict, beside_best))
    return ranked
