"""Trials are dealt by what they cost, and a budget that is too small is told before they run."""

from pathlib import Path

import pytest
from factories import CPU

from fashionbench.config.execution import Execution
from fashionbench.config.recipe import SEARCHED
from fashionbench.config.tuning import Tuning
from fashionbench.data.split import Dataset
from fashionbench.errors import UsageError
from fashionbench.experiments import budget
from fashionbench.experiments.budget import deal, deal_by_cost, estimate_seconds
from fashionbench.experiments.launch import Bench, run_missing
from fashionbench.experiments.planning import plan
from fashionbench.store.run_store import RunStore


def tuning(seconds: float, trials: int = 100, studies: int = 1) -> Tuning:
    ranges = {"learning_rate": SEARCHED["learning_rate"]}
    return Tuning(ranges=ranges, trials=trials, studies=studies, budget=seconds)


def runs(trials: int) -> int:
    """The points, and the best quarter of them and the recipe as it is from 3 seeds more."""
    return trials + 3 * (1 + (trials + 3) // 4)


def test_models_that_cost_the_same_have_the_same_trials() -> None:
    assert deal_by_cost(tuning(2 * runs(8)), [1, 1]) == (8, 8)
    assert deal_by_cost(tuning(2 * runs(8) - 0.1), [1, 1]) == (7, 7)


def test_a_dear_model_has_as_many_trials_as_the_same_seconds_pay_for() -> None:
    assert deal_by_cost(tuning(2 * 10 * runs(4)), [10, 2]) == (4, 26)
    assert 2 * runs(26) == 10 * runs(4)


def test_what_a_cheap_model_leaves_goes_to_the_others() -> None:
    seconds = 1 * runs(15) + 10 * runs(5)
    assert deal_by_cost(tuning(seconds, trials=15), [10, 1]) == (5, 15)


def test_each_study_runs_the_recipe_as_it_is_again() -> None:
    # Two studies of 4 points: 8 first, then 2 x (1 + 1) from 3 seeds.
    assert deal_by_cost(tuning(20, studies=2), [1]) == (8,)
    assert deal_by_cost(tuning(19.9, studies=2), [1]) == (7,)


def test_a_budget_that_is_too_small_is_told_with_the_least_that_would_do() -> None:
    with pytest.raises(UsageError, match=r"takes 141 s at least. Give --budget 141s"):
        deal_by_cost(tuning(140), [1, 10.02])
    assert deal_by_cost(tuning(141), [1, 10.02])[1] == 1
    with pytest.raises(UsageError, match="s at least"):
        deal_by_cost(tuning(70, studies=3), [10])


def test_a_budget_is_dealt_by_measured_seconds(
    tmp_path: Path, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"dataset": "silhouettes", "tune": "lr", "budget": "10m", "epochs": 1}
    study = plan(["v0", "v2"], "default", 2, **asked)
    assert study.tuning is not None
    study = study.model_copy(update={"tuning": study.tuning.model_copy(update={"images": 6000})})
    bench = Bench(silhouettes, None, CPU, RunStore(tmp_path, create=True), Execution())
    monkeypatch.setattr(
        budget, "estimate_seconds", lambda jobs, bench: 1 + 9 * (jobs[0].model == "v2")
    )
    cheap, dear = deal(study, bench)
    assert cheap == 100
    assert 10 * runs(dear) <= 600 - runs(100) < 10 * runs(dear + 1)


@pytest.mark.parametrize("way", ["stacked", "serial"])
def test_an_estimate_is_near_what_a_run_takes(
    way: str, tmp_path: Path, silhouettes: Dataset
) -> None:
    study = plan("v2", "default", 2, dataset="silhouettes", tune="lr", trials=4, epochs=1)
    assert study.tuning is not None
    study = study.model_copy(update={"tuning": study.tuning.model_copy(update={"images": 6000})})
    store = RunStore(tmp_path, create=True)
    bench = Bench(silhouettes, None, CPU, store, Execution(parallel=way))
    trials = [study.trial_job(0, point, 0, 0) for point in range(4)]
    estimated = estimate_seconds(trials, bench)
    run_missing([(0, trials)], bench)
    found = [store.load_run(trial) for trial in trials]
    spent = sum(run.spent_seconds or 0 for run in found if run) / 4
    assert spent / 3 < estimated < 3 * spent
