"""The rows of a comparison: entries, each a model with a recipe, and pairs of them."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.seeds import PURPOSES, Source
from fashionbench.errors import UsageError
from fashionbench.report.document import (
    EntrySummary,
    NumberSummary,
    OutcomeCounts,
    PairSummary,
    ProbabilitiesSummary,
    RatioSummary,
    RunSummary,
    SecondsSummary,
    SplitsDifference,
)
from fashionbench.report.tuned import Tuned
from fashionbench.stats.difference import Difference
from fashionbench.stats.intervals import (
    Summary,
    error_of_test_set,
    expected_sd,
    summarize,
    summarize_fractions,
    time_ratio,
)
from fashionbench.stats.probabilities import Probabilities
from fashionbench.stats.splits import OverSplits
from fashionbench.stats.studies import summarize_tuned
from fashionbench.stats.verdict import Verdict
from fashionbench.stats.votes import count_votes
from fashionbench.store.records import Outcome, RunRecord, TestSet

__all__ = ["SEEDS_FOR_A_BAR", "Entry", "NamedRuns", "Pair"]

SEEDS_FOR_A_BAR = 4
"""An interval of fewer seeds says next to nothing, and would squeeze a plot's points together."""

_ENDS = ("low", "high", "seeds_low", "seeds_high", "limit", "limit_other_test_images")
NamedRuns = Sequence[tuple[str, Sequence[RunRecord]]]
"""The entries of a comparison as a plot takes them: a name and the runs of each."""


@dataclass(frozen=True, repr=False, eq=False)
class Entry:
    """One row of the table: a model with a recipe, and its runs in the order of their seeds."""

    runs: tuple[RunRecord, ...]
    recipe: str
    """What it is called in this comparison; runs may have been made under another name."""
    asked_to_hold: tuple[Source, ...] = ()
    """What was not to vary with the seeds."""
    dealt: tuple[tuple[RunRecord, ...], ...] = ()
    """The runs on each split that was dealt anew."""
    tuned: Tuned | None = None
    """How it came by its settings; None where its recipe is taken as it is."""

    def __repr__(self) -> str:
        seeds = ", ".join(str(run.job.seed) for run in self.runs)
        return f"Entry({self.model!r}, recipe={self.recipe!r}, seeds=[{seeds}])"

    @property
    def model(self) -> str:
        """The name that was asked for, such as a key of the table of models."""
        return self.runs[0].job.model

    @property
    def label(self) -> str:
        """The name of the model's class."""
        return self.runs[0].label

    @property
    def is_only_scored(self) -> bool:
        """Whether it is a network that was trained elsewhere, whose one run is its score."""
        return self.runs[0].job.is_only_scored

    @property
    def held(self) -> tuple[Source, ...]:
        """What is the same for all seeds though it could be random."""
        same_start = self.seeds_itself or self.runs_alike
        return tuple(
            source
            for source in PURPOSES
            if source in self.asked_to_hold or (same_start and source == "weights")
        )

    @property
    def is_left_as_it_is(self) -> bool:
        """Whether it was tuned and every study leaves the recipe as it is."""
        choices = self.tuned.progress.choices if self.tuned else ()
        return bool(choices) and all(choice.point is None for choice in choices)

    @property
    def studies(self) -> list[int]:
        """By which study's choice each run was trained."""
        if self.tuned is None:
            return [0] * len(self.runs)
        return [self.tuned.study_of[run.job.seed] for run in self.runs]

    @property
    def seeds_itself(self) -> bool:
        """Whether the model's own code makes all seeds begin with the same weights."""
        starts = {run.first_weights for run in self.runs}
        alike = len(self.runs) > 1 and len(starts) == 1 and starts != {""}
        return alike and "weights" not in self.asked_to_hold

    @property
    def runs_alike(self) -> bool:
        """Whether seeds make no difference at all."""
        first = self.runs[0]
        return len(self.runs) > 1 and all(
            np.array_equal(run.losses, first.losses) for run in self.runs
        )

    @property
    def notes(self) -> list[str]:
        """The kinds of what a reader must know of this row, in a word or two each."""
        alike = "equal runs" if self.runs_alike else "one start" if self.seeds_itself else ""
        remarks = [kind for run in self.runs for kind in run.remarks]
        return [note for note in dict.fromkeys([alike, *remarks]) if note]

    @property
    def accuracies_one_by_one(self) -> list[float]:
        """Accuracies on images shown one at a time, where answers depend on those beside them."""
        values = (run.accuracy_one_by_one for run in self.runs)
        return [value for value in values if value is not None]

    @property
    def accuracies(self) -> list[float]:
        """Test accuracies of the runs, as fractions."""
        return [run.scores.accuracy for run in self.runs]

    @property
    def validation_accuracies(self) -> list[float]:
        """Accuracies on validation images, of the runs whose recipe holds out validation images."""
        return [value for run in self.runs if (value := run.validation_accuracy) is not None]

    @property
    def seconds(self) -> list[float]:
        """Training times of the runs that were alone on their device."""
        return [run.train_seconds for run in self.runs if run.train_seconds is not None]

    def find_run(self, seed: int) -> RunRecord:
        """Return the run from a seed. Raises UsageError, which lists the seeds there are."""
        for run in self.runs:
            if run.job.seed == seed:
                return run
        seeds = ", ".join(str(run.job.seed) for run in self.runs)
        raise UsageError(f"{self.model} has no finished run of seed {seed}; there are {seeds}.")

    def mark_correct(self, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return (S, N): which run is right about which test image."""
        predicted = np.stack([run.predicted for run in self.runs])
        return np.equal(predicted, labels)

    def score_vote(self, labels: NDArray[np.uint8], classes: int) -> float | None:
        """Return the accuracy of the class that most runs call an image; None below three runs."""
        if len(self.runs) < 3:
            return None
        votes = count_votes(np.stack([run.predicted for run in self.runs]), classes)
        return float(np.mean(votes.argmax(axis=1) == labels))

    def summarize_accuracy(self) -> Summary:
        """Summarize the test accuracy: over the runs, or over the studies that tuned."""
        return summarize_tuned(self.accuracies, self.studies, summarize_fractions)

    @property
    def mean_accuracy(self) -> float:
        """The mean test accuracy that tables and plots show of the row."""
        mean = self.summarize_accuracy().mean
        assert mean is not None  # an entry has a run, and accuracies are finite
        return mean

    def _summarize_runs(
        self,
        values: Sequence[float],
        in_brief: Callable[[Sequence[float]], Summary] = summarize_fractions,
    ) -> NumberSummary:
        return NumberSummary.model_validate(summarize_tuned(values, self.studies, in_brief))

    def summarize(self, test_set: TestSet, excluded: Sequence[int] = ()) -> EntrySummary:
        """Return the entry as results.json has it; the `excluded` images count in all but one."""
        first, scores = self.runs[0], [run.scores for run in self.runs]
        correct = self.mark_correct(test_set.labels)
        outcomes = [run.outcome for run in self.runs]
        dead = {index for run in self.runs for index in run.dead_classes}
        return EntrySummary(
            model=self.model,
            recipe=self.recipe,
            label=self.label,
            parameters=first.parameters,
            flops_per_image=first.flops_per_image,
            accuracy=NumberSummary.model_validate(self.summarize_accuracy()),
            loss=self._summarize_runs([each.loss for each in scores], summarize),
            validation_accuracy=_summarize_fractions(self.validation_accuracies),
            macro_f1=self._summarize_runs([each.macro_f1 for each in scores]),
            calibration_error=self._summarize_runs([each.calibration_error for each in scores]),
            train_seconds=SecondsSummary(
                **vars(_summarize(self.seconds)),
                median=statistics.median(self.seconds) if self.seconds else None,
            ),
            test_set_error=error_of_test_set(correct),
            expected_sd=expected_sd(correct),
            outcomes=OutcomeCounts(**{each: outcomes.count(each) for each in get_args(Outcome)}),
            dead_classes=[test_set.classes[index] for index in sorted(dead)],
            vote_accuracy=self.score_vote(test_set.labels, len(test_set.classes)),
            accuracy_one_by_one=_summarize_fractions(self.accuracies_one_by_one),
            accuracy_without_excluded=self._summarize_runs(
                np.delete(correct, list(excluded), axis=1).mean(axis=1).tolist()
            )
            if excluded
            else None,
            same_first_weights=self.seeds_itself or "weights" in self.asked_to_hold,
            notes=self.notes,
            runs=[_summarize_run(run, test_set.classes) for run in self.runs],
        )


def _summarize(values: Sequence[float]) -> NumberSummary:
    return NumberSummary.model_validate(summarize(values))


def _summarize_fractions(values: Sequence[float]) -> NumberSummary:
    return NumberSummary.model_validate(summarize_fractions(values))


def _summarize_run(run: RunRecord, classes: Sequence[str]) -> RunSummary:
    return RunSummary(
        seed=run.job.seed,
        accuracy=run.scores.accuracy,
        loss=run.scores.loss,
        macro_f1=run.scores.macro_f1,
        calibration_error=run.scores.calibration_error,
        validation_accuracy=run.validation_accuracy,
        train_seconds=run.train_seconds,
        engine=run.engine,
        epochs=run.epochs,
        best_epoch=run.best_epoch,
        outcome=run.outcome,
        dead_classes=[classes[index] for index in run.dead_classes],
        tied_images=run.ties.images if run.ties else None,
        accuracy_by_chance=run.ties.accuracy_by_chance if run.ties else None,
        accuracy_by_last=run.ties.accuracy_by_last if run.ties else None,
        accuracy_one_by_one=run.accuracy_one_by_one,
        remarks=list(run.remarks),
    )


@dataclass(frozen=True, repr=False, eq=False)
class Pair:
    """Two entries and what can be said of their difference, a minus b."""

    a: str
    b: str
    first: Entry
    second: Entry
    found: Difference
    """Its p-values are adjusted for the number of pairs (Holm)."""
    verdict: Verdict
    interval: tuple[float, float]
    """The interval of the difference that the verdict is read from; infinite where unknown."""
    probabilities: Probabilities | None
    """How probable it is that a is better, about as good, or worse; None where unknown."""
    mcnemar_p_value: float | None
    """Where each has one run: p-value of the two networks being right equally often."""
    over_splits: OverSplits | None = None
    """The difference on splits dealt anew; its p-value is adjusted like the others."""

    def __repr__(self) -> str:
        points = f"{100 * self.found.difference:+.2f} points"
        return f"Pair({self.a!r}, {self.b!r}, {points}, {str(self.verdict)!r})"

    def turned(self) -> "Pair":
        """Return the same of b minus a."""
        found, (low, high), probable = self.found, self.interval, self.probabilities
        chance = found.probability_a_beats_b
        negated = replace(
            found,
            difference=-found.difference,
            low=-found.high,
            high=-found.low,
            seeds_low=-found.seeds_high,
            seeds_high=-found.seeds_low,
            probability_a_beats_b=None if chance is None else 1 - chance,
            spread=replace(found.spread, by_seed=tuple(-each for each in found.spread.by_seed)),
        )
        return replace(
            self,
            a=self.b,
            b=self.a,
            first=self.second,
            second=self.first,
            found=negated,
            verdict=self.verdict.of_the_other(),
            interval=(-high, -low),
            probabilities=probable and probable.turned(),
            over_splits=self.over_splits and self.over_splits.turned(),
        )

    def summarize(self) -> PairSummary:
        """Return the pair as results.json has it."""
        numbers = asdict(self.found)
        del numbers["spread"]
        for end in _ENDS:
            if math.isfinite(numbers[end]):  # no difference is larger than all images
                numbers[end] = min(max(numbers[end], -1.0), 1.0)
        return PairSummary(
            a=self.a,
            b=self.b,
            **numbers,
            verdict_low=self.interval[0],
            verdict_high=self.interval[1],
            probabilities=None
            if self.probabilities is None
            else ProbabilitiesSummary.model_validate(self.probabilities),
            verdict=self.verdict.word,
            in_words=str(self.verdict),
            seeds_needed=self.verdict.seeds_needed,
            unit=self.verdict.unit,
            given_settings=self.verdict.given_settings,
            holds_for_other_test_images=self.verdict.holds_for_other_test_images,
            holds_for_other_first_weights="weights" not in self.verdict.held,
            holds_for_other_orders="order" not in self.verdict.held,
            over_splits=None
            if self.over_splits is None
            else SplitsDifference.model_validate(self.over_splits),
            holds_for_other_splits=self.verdict.holds_for_other_splits,
            mcnemar_p_value=self.mcnemar_p_value,
            time_ratio=self.time_ratio,
        )

    @property
    def time_ratio(self) -> RatioSummary | None:
        """How many times as long the first trains; None where too few runs were timed."""
        found = time_ratio(self.first.seconds, self.second.seconds)
        return None if found is None else RatioSummary.model_validate(found)
