"""What tuning found for an entry is what its records say."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import make_tuned_result

from fashionbench.experiments.result import Result
from fashionbench.report.tuned import Tuned
from fashionbench.stats.tuning_curve import tuning_curve


@pytest.fixture
def tuned(tuned_result: Result) -> Tuned:
    return tuned_result.tuned_rows[0].how


def test_every_point_has_the_losses_of_its_runs(tuned: Tuned) -> None:
    records = tuned.progress.records
    for tried in tuned.tried:
        rate = tried.settings["learning_rate"]
        losses = [r.scores.loss for r in records if r.job.recipe.learning_rate == rate]
        own = losses if tried.point is not None else tried.further
        first = () if tried.first is None else (tried.first,)
        assert sorted([*first, *tried.further]) == sorted(own)
        assert tried.mean == pytest.approx(np.mean(own))
    assert sum(tried.point is None for tried in tuned.tried) == 3, "the recipe in each study"
    assert sum(tried.first is not None for tried in tuned.tried) == 12


def test_what_was_spent_is_that_of_all_runs(tuned: Tuned) -> None:
    runs = 12 + 3 * 3 * 2  # the best of each four and the recipe, from three seeds
    assert len(tuned.progress.records) == runs
    assert tuned.epochs == 3 * runs
    assert tuned.seconds == pytest.approx(0.5 * runs)
    records = tuned.progress.records
    unknown = (replace(records[0], spent_seconds=None), *records[1:])
    assert replace(tuned, progress=replace(tuned.progress, records=unknown)).seconds is None


def test_the_curve_is_over_the_first_seeds(tuned: Tuned) -> None:
    first = [trial.loss for trial in tuned.progress.trials if trial.stage == 1]
    assert tuned.curve == tuning_curve(first)
    assert [point.low for point in tuned.summarize_curve()][-1] is None
    assert all(math.isfinite(point.median) for point in tuned.curve)


def test_the_stable_range_lies_around_the_best(tuned: Tuned) -> None:
    low, high = tuned.stable
    losses: dict[float, list[float]] = {}
    for record in tuned.progress.records:
        losses.setdefault(record.job.recipe.learning_rate, []).append(record.scores.loss)
    means = {rate: np.mean(of_rate) for rate, of_rate in losses.items()}
    assert low <= min(means, key=means.get) <= high
    assert all(mean <= 1.1 * min(means.values()) for r, mean in means.items() if low <= r <= high)


def test_choices_are_said_setting_by_setting(tuned: Tuned, tmp_path: Path) -> None:
    rates = [f"{settings['learning_rate']:g}" for settings in tuned.progress.settings]
    assert tuned.describe_choices() == f"learning rate {', '.join(rates)}"
    assert [choice.settings["learning_rate"] for choice in tuned.summarize_choices()] == [
        float(rate) for rate in rates
    ]
    kept = make_tuned_result(tmp_path, best=0.1).tuned_rows[0].how
    assert kept.describe_choices() == "as it is"


def test_of_several_settings_each_is_said_and_none_is_called_stable(tmp_path: Path) -> None:
    result = make_tuned_result(
        tmp_path, tune=("learning_rate", "weight_decay"), trials=8, studies=1, models=("v0",)
    )
    how = result.tuned_rows[0].how
    assert how.stable is None
    assert how.describe_choices().startswith("learning rate 0.0")
    assert "; weight decay " in how.describe_choices()


def test_what_was_fixed_is_said(tuned: Tuned) -> None:
    assert tuned.fixed == (
        "epochs 3, batch size 32, optimizer sgd, schedule constant; everything else at its default"
    )
