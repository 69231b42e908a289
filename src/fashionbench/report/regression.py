"""Whether models are still as accurate as in an older comparison: pass, fail, or cannot tell.

Each is compared with itself over the seeds that both comparisons ran, on the same test images. It
passes where a loss as large as the margin is excluded, at 95 % for all models together, and fails
where a smaller one is.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fashionbench.errors import UsageError
from fashionbench.report.comparison import Comparison
from fashionbench.report.entries import Entry
from fashionbench.report.numbers import format_points, pluralize
from fashionbench.stats.intervals import CONFIDENCE
from fashionbench.stats.studies import compare_tuned

__all__ = ["OUTCOMES", "Checked", "Outcome", "check_against", "worst_outcome"]

logger = logging.getLogger(__name__)

Outcome = Literal["pass", "fail", "cannot tell"]
OUTCOMES: dict[Outcome, int] = {"fail": 1, "cannot tell": 3, "pass": 0}
"""The exit code of each, the worst first."""


@dataclass(frozen=True)
class Checked:
    """What follows for a model; accuracies are fractions."""

    name: str
    outcome: Outcome
    difference: float
    """How much more accurate it is than before, over the seeds of both."""
    low: float | None
    high: float | None
    """Ends of the interval, at 95 % for all models together; None where seeds are too few."""
    seeds: int
    identical: bool
    """Whether each run predicts for each test image what it did before."""

    def __str__(self) -> str:
        change = f"{format_points(self.difference)} points over {pluralize(self.seeds, 'seed')}"
        if self.identical:
            return f"{self.outcome}: {self.name}: every prediction is the same as before"
        if self.low is None or self.high is None:
            return f"{self.outcome}: {self.name}: {change}; two seeds or more would tell"
        interval = f"{format_points(self.low)} to {format_points(self.high)}"
        return f"{self.outcome}: {self.name}: {change} (95 %: {interval})"


def check_against(new: Comparison, old: Comparison, margin: float) -> list[Checked]:
    """Compare each model of `new` with itself in `old`, and tell which only one of them has.

    Raises UsageError for other test images or another protocol, under which accuracies differ for
    other reasons, and where the two have no model in common.
    """
    _refuse_others(new, old)
    pairs = [*_find_pairs(new, old)]
    if not pairs:
        raise UsageError(
            f"{new.folder} and {old.folder} have no model with the same recipe in common; compare "
            "the same models in both."
        )
    for comparison, rows in zip((new, old), zip(*pairs, strict=True), strict=True):
        _tell_unchecked(comparison, {id(row) for row in rows})
    return [_check(new, pair, margin, len(pairs)) for pair in pairs]


def _tell_unchecked(comparison: Comparison, checked: set[int]) -> None:
    alone = [comparison.name(entry) for entry in comparison.entries if id(entry) not in checked]
    if alone:
        logger.warning("Only in %s, so not checked: %s.", comparison.folder, ", ".join(alone))


def _refuse_others(new: Comparison, old: Comparison) -> None:
    one, other = new.test_set, old.test_set
    same = one.images.shape == other.images.shape and (
        np.array_equal(one.images, other.images) and np.array_equal(one.labels, other.labels)
    )
    if not same or new.study.dataset_source != old.study.dataset_source:
        raise UsageError(
            f"{new.folder} and {old.folder} are on other data ({one.title}, {other.title}); give a "
            "baseline on the same."
        )
    if new.study.protocol != old.study.protocol:
        raise UsageError(
            f"{new.folder} was made by protocol {new.study.protocol}, {old.folder} by "
            f"{old.study.protocol}: the same run gives other numbers. Make the baseline again with "
            "this version."
        )


def _find_pairs(new: Comparison, old: Comparison) -> Iterator[tuple[Entry, Entry]]:
    """Yield each row of `new` with the one of `old` of its whole name, or else its shown one.

    A model of one's own may be in another folder than before.
    """
    for entry in new.entries:
        rows = [each for each in old.entries if each.recipe == entry.recipe]
        same = [each for each in rows if each.model == entry.model] or [
            each for each in rows if old.short_model(each) == new.short_model(entry)
        ]
        # Merged models of one name are told apart by their source.
        exact = [each for each in same if _source(each) == _source(entry)]
        if len(same) == 1 or exact:
            yield entry, (exact or same)[0]


def _source(entry: Entry) -> str:
    return entry.runs[0].job.model_source


def _check(new: Comparison, pair: tuple[Entry, Entry], margin: float, models: int) -> Checked:
    entry = pair[0]
    first, second = ({run.job.seed for run in each.runs} for each in pair)
    seeds = sorted(first & second)
    if not seeds:
        raise UsageError(f"{new.name(entry)} has no seed in common with the baseline.")
    runs = [[each.find_run(seed) for seed in seeds] for each in pair]
    predicted = [np.stack([run.predicted for run in of_entry]) for of_entry in runs]
    now, before = (each == new.test_set.labels for each in predicted)
    study_of = {run.job.seed: study for run, study in zip(entry.runs, entry.studies, strict=True)}
    found = compare_tuned(now, before, [study_of[seed] for seed in seeds], pairs=models)
    identical = np.array_equal(predicted[0], predicted[1])
    low = high = None
    if found.spread.is_known:
        half = found.spread.over_seeds((1 - CONFIDENCE) / models)
        low, high = found.difference - half, found.difference + half
    return Checked(
        name=new.name(entry),
        outcome=_judge(low, high, margin, identical=identical),
        difference=found.difference,
        low=low,
        high=high,
        seeds=len(seeds),
        identical=identical,
    )


def _judge(low: float | None, high: float | None, margin: float, *, identical: bool) -> Outcome:
    if identical:
        return "pass"
    if low is None or high is None:
        return "cannot tell"
    if low > -margin:
        return "pass"
    return "fail" if high < -margin else "cannot tell"


def worst_outcome(checked: list[Checked]) -> Outcome:
    """Return the outcome of a whole check: that of the worst model."""
    return next(outcome for outcome in OUTCOMES if outcome in {each.outcome for each in checked})
