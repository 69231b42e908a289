"""What tuning gave: each entry as it is beside itself tuned, and whether their order changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from fashionbench.config.tuning import Tuning
from fashionbench.report.entries import Entry, Pair
from fashionbench.report.tuned import Tuned
from fashionbench.report.tuning_document import (
    GainSummary,
    RangeSummary,
    TunedSummary,
    TuningSummary,
)
from fashionbench.stats.studies import split_spread

__all__ = ["TunedRow", "group_pairs", "match_rows", "summarize_tuning"]


@dataclass(frozen=True)
class TunedRow:
    """An entry as it is and the same entry tuned."""

    name: str
    as_it_is: Entry
    tuned: Entry
    how: Tuned
    gain: Pair | None
    """Tuned against as it is; None where every study leaves the recipe as it is."""

    def summarize(self) -> TunedSummary:
        """Return what tuning gave as results.json has it."""
        parts = split_spread(self.tuned.accuracies, self.tuned.studies)
        return TunedSummary(
            model=self.tuned.model,
            recipe=self.as_it_is.recipe,
            tuned=self.tuned.recipe,
            fixed=self.how.fixed,
            choices=self.how.summarize_choices(),
            at_edge=self.how.edges,
            gain=self._summarize_gain(),
            sd_between_studies=parts.between_studies,
            sd_between_seeds=parts.between_seeds,
            trials=sum(trial.stage == 1 for trial in self.how.progress.trials),
            runs=len(self.how.progress.trials),
            epochs=self.how.epochs,
            seconds=self.how.seconds,
            curve=self.how.summarize_curve(),
            stable=self.how.summarize_stable(),
            tuning_runs=list(self.how.summarize_runs()),
        )

    def _summarize_gain(self) -> GainSummary:
        if self.gain is None:
            return GainSummary(mean=0, low=None, high=None, in_words="the recipe stays as it is")
        low, high = self.gain.interval
        mean = self.gain.found.difference
        return GainSummary(mean=mean, low=low, high=high, in_words=str(self.gain.verdict))


def group_pairs(entries: Sequence[Entry]) -> list[list[tuple[Entry, Entry]]]:
    """List the pairs that are compared, those that are judged together in a list of their own."""
    as_they_are = [entry for entry in entries if entry.tuned is None]
    tuned = [entry for entry in entries if entry.tuned is not None]
    gains = [
        (a, b)
        for a in tuned
        for b in as_they_are
        if _is_tuned_from(a, b) and not a.is_left_as_it_is
    ]
    return [[*combinations(as_they_are, 2)], [*combinations(tuned, 2)], gains]


def _is_tuned_from(entry: Entry, other: Entry) -> bool:
    about = None if entry.tuned is None else (entry.model, entry.tuned.recipe.label)
    return other.tuned is None and (other.model, other.recipe) == about


def match_rows(
    entries: Sequence[Entry], pairs: Sequence[Pair], name: Callable[[Entry], str]
) -> list[TunedRow]:
    """Find the tuned entries, each with the same entry as it is."""
    rows = []
    for entry in entries:
        as_it_is = next((each for each in entries if _is_tuned_from(entry, each)), None)
        if entry.tuned is not None and as_it_is is not None:
            gain = next((p for p in pairs if p.first is entry and p.second is as_it_is), None)
            rows.append(TunedRow(name(as_it_is), as_it_is, entry, entry.tuned, gain))
    return rows


def summarize_tuning(
    tuning: Tuning, rows: Sequence[TunedRow], pairs: Sequence[Pair]
) -> TuningSummary:
    """Return the tuning of a comparison as results.json has it."""
    orders = [
        _order(rows, [each.as_it_is for each in rows]),
        _order(rows, [each.tuned for each in rows]),
    ]
    return TuningSummary(
        ranges=[
            RangeSummary(
                setting=setting,
                scale=found.scale,
                low=found.low,
                high=found.high,
                relative=found.relative,
                widened=[side for name, side in tuning.widened if name == setting],
            )
            for setting, found in tuning.ranges.items()
        ],
        trials=tuning.trials,
        studies=tuning.studies,
        budget_seconds=tuning.budget,
        order=_say_order(orders) + _say_verdicts(rows, pairs),
        order_changed=orders[0] != orders[1],
        entries=[row.summarize() for row in rows],
    )


def _order(rows: Sequence[TunedRow], entries: Sequence[Entry]) -> list[str]:
    """Name the rows from the lowest mean accuracy to the highest."""
    means = [entry.mean_accuracy for entry in entries]
    return [row.name for _, row in sorted(zip(means, rows, strict=True), key=lambda pair: pair[0])]


def _say_order(orders: Sequence[Sequence[str]]) -> str:
    as_they_are, tuned = (" < ".join(order) for order in orders)
    if len(orders[0]) < 2:
        return ""
    if as_they_are == tuned:
        return f"Tuning leaves the order of the means as it was: {tuned}."
    return f"Tuning changes the order of the means: {as_they_are} as they are, {tuned} when tuned."


def _say_verdicts(rows: Sequence[TunedRow], pairs: Sequence[Pair]) -> str:
    """Name the differences whose verdict is another when tuned."""

    def find_word(a: Entry, b: Entry) -> str | None:
        found = (p.verdict.word for p in pairs if p.first is a and p.second is b)
        return next(found, None)

    changed = []
    for a, b in combinations(rows, 2):
        before, after = find_word(a.as_it_is, b.as_it_is), find_word(a.tuned, b.tuned)
        if before != after and before is not None and after is not None:
            changed.append(f"{a.name} against {b.name} ({before} as they are, {after} when tuned)")
    return f" Another verdict when tuned: {'; '.join(changed)}." if changed else ""
