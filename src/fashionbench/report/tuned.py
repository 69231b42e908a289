"""What tuning found for one entry: the points it tried, what was chosen, and what that took."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from fashionbench.config.recipe import SETTINGS, Recipe, format_value
from fashionbench.config.tuning import Tuning
from fashionbench.report.tuning_document import (
    ChoiceSummary,
    CurveSummary,
    StableSummary,
    TuningRunSummary,
)
from fashionbench.stats.choice import stable_range
from fashionbench.stats.tuning_curve import CurvePoint, tuning_curve
from fashionbench.store.trials import Progress

__all__ = ["AS_IT_IS", "TUNED", "Tried", "Tuned"]

AS_IT_IS = "as it is"
TUNED = "tuned"
"""What is added to the name of a recipe whose settings were chosen."""


@dataclass(frozen=True)
class Tried:
    """A point of the search space that an entry tried, and the losses of its runs."""

    point: int | None
    """None for the recipe as it is."""
    study: int
    settings: dict[str, Any]
    first: float | None
    """Validation loss from the first seed, infinite where the run failed; None of the recipe as
    it is, which takes part in the second stage alone."""
    further: tuple[float, ...]
    """The same from the further seeds; empty where the point was not among the best."""

    @property
    def mean(self) -> float:
        """Mean loss of all of its runs; infinite where one failed."""
        return fmean([*(() if self.first is None else (self.first,)), *self.further])


@dataclass(frozen=True, repr=False)
class Tuned:
    """How a tuned row came by its settings."""

    tuning: Tuning
    recipe: Recipe
    """As it is."""
    progress: Progress

    @property
    def study_of(self) -> dict[int, int]:
        """By which study's choice each seed is trained."""
        shares = zip(self.progress.jobs, self.progress.studies, strict=True)
        return {job.seed: study for job, study in shares}

    @cached_property
    def tried(self) -> list[Tried]:
        """All points that were tried, study after study, each with the recipe as it is."""
        losses: dict[tuple[int, int | None], dict[int, list[float]]] = {}
        for trial in self.progress.trials:
            stages = losses.setdefault((trial.study, trial.point), {1: [], 2: []})
            stages[trial.stage].append(trial.score)
        return [
            Tried(
                point,
                study,
                self.tuning.settings(point, self.recipe),
                stages[1][0] if stages[1] else None,
                tuple(stages[2]),
            )
            for (study, point), stages in losses.items()
        ]

    @cached_property
    def curve(self) -> list[CurvePoint]:
        """The tuning curve over the first seeds of all points."""
        return tuning_curve([tried.first for tried in self.tried if tried.first is not None])

    @property
    def stable(self) -> tuple[float, float] | None:
        """Where the tuned setting trains almost as well as at its best, if one alone was tuned."""
        if len(self.tuning.ranges) > 1:
            return None
        (setting,) = self.tuning.ranges
        losses: dict[float, list[float]] = {}
        for trial in self.progress.trials:
            value = self.tuning.settings(trial.point, self.recipe)[setting]
            if value is not None:
                losses.setdefault(value, []).append(trial.score)
        return stable_range([*losses], [fmean(of_value) for of_value in losses.values()])

    @property
    def seconds(self) -> float | None:
        """Wall-clock time of training that the trials account for; None where one is not known."""
        spent = [record.spent_seconds for record in self.progress.records]
        return None if None in spent else sum(each for each in spent if each is not None)

    @property
    def epochs(self) -> int:
        """Epochs of all trials together."""
        return sum(record.epochs for record in self.progress.records)

    @property
    def edges(self) -> list[str]:
        """The sides of the space at which a choice lies, such as "learning_rate low"."""
        return [f"{setting} {side}" for setting, side in self.progress.edges]

    @property
    def fixed(self) -> str:
        """The settings that were not tuned, those at their default in short."""
        always = ("epochs", "batch_size", "optimizer", "schedule")
        named = [
            f"{key.replace('_', ' ')} {format_value(getattr(self.recipe, key))}"
            for key, field in SETTINGS.items()
            if key not in self.tuning.ranges
            and (key in always or getattr(self.recipe, key) != field.default)
        ]
        return f"{', '.join(named)}; everything else at its default"

    def describe_choices(self) -> str:
        """Say what each study chose, setting by setting."""
        choices, settings = self.progress.choices, self.progress.settings
        if all(choice.point is None for choice in choices):
            return AS_IT_IS
        said = []
        for name in self.tuning.ranges:
            values = [
                format_value(each[name]) + (f" ({AS_IT_IS})" if choice.point is None else "")
                for choice, each in zip(choices, settings, strict=True)
            ]
            said.append(f"{name.replace('_', ' ')} {', '.join(values)}")
        return "; ".join(said)

    def summarize_choices(self) -> list[ChoiceSummary]:
        """Return the choices as results.json has them."""
        return [
            ChoiceSummary(
                study=study,
                settings=settings,
                as_it_is=choice.point is None,
                gain=choice.gain,
                error=choice.error,
            )
            for study, (choice, settings) in enumerate(
                zip(self.progress.choices, self.progress.settings, strict=True)
            )
        ]

    def summarize_runs(self) -> Iterator[TuningRunSummary]:
        """Yield the trials as results.json has them."""
        for trial, record in zip(self.progress.trials, self.progress.records, strict=True):
            yield TuningRunSummary(
                study=trial.study,
                point=trial.point,
                stage=trial.stage,
                seed=trial.seed,
                settings=self.tuning.settings(trial.point, self.recipe),
                loss=trial.loss,
                outcome=record.outcome,
                seconds=record.spent_seconds,
            )

    def summarize_curve(self) -> list[CurveSummary]:
        """Return the tuning curve as results.json has it."""
        return [CurveSummary.model_validate(point) for point in self.curve]

    def summarize_stable(self) -> StableSummary | None:
        """Return the stable range as results.json has it."""
        found = self.stable
        return None if found is None else StableSummary(low=found[0], high=found[1])
