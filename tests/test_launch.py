"""What a study lacks is run: first alone and timed, then together."""

from pathlib import Path

import pytest
import torch
from factories import CPU, jobs

from fashionbench.config.execution import Execution, Parallel
from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Dataset
from fashionbench.errors import StoreError, UsageError
from fashionbench.experiments import launch, strategy
from fashionbench.experiments.comparison import run_study
from fashionbench.experiments.launch import (
    Bench,
    open_bench,
    run_missing,
)
from fashionbench.experiments.planning import plan
from fashionbench.experiments.strategy import MOST_TIMED
from fashionbench.models.build import build_model
from fashionbench.store.records import RunRecord
from fashionbench.store.run_store import RunStore

pytestmark = pytest.mark.usefixtures("two_threads")


def run(
    store: RunStore, silhouettes: Dataset, seeds: int, parallel: Parallel = "stacked"
) -> list[RunRecord]:
    """Run V0 from so many seeds and return its records."""
    bench = Bench(silhouettes, None, CPU, store, Execution(parallel=parallel))
    assert run_missing([(0, jobs("v0", seeds))], bench) == {}
    found = [store.load_run(job) for job in jobs("v0", seeds)]
    return [record for record in found if record is not None]


@pytest.mark.slow
@pytest.mark.parametrize(("parallel", "times"), [("serial", 5), ("stacked", 3)])
def test_time_is_measured_alone(
    parallel: Parallel, times: int, tmp_path: Path, silhouettes: Dataset
) -> None:
    runs = run(RunStore(tmp_path, create=True), silhouettes, 5, parallel)
    assert len(runs) == 5
    assert sum(found.train_seconds is not None for found in runs) == times


@pytest.mark.parametrize("tune", [None, "lr"])
def test_more_images_than_there_are_are_refused_before_anything_is_kept(
    tune: str | None, tmp_path: Path, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "load_data_of", lambda *_: silhouettes)
    greedy = load_recipe("default").override(train_images=9999).renamed("greedy")
    study = plan(["v0"], ["fast", greedy], 1, dataset="silhouettes", tune=tune)
    with pytest.raises(UsageError, match=r"^recipe greedy: train_images is 9999, but should be 10"):
        run_study(study, tmp_path, None, "the command")
    store = RunStore(tmp_path)
    assert not store.list_runs()
    with pytest.raises(StoreError, match="no comparison yet"):
        store.load_study()


@pytest.mark.slow
def test_a_slow_model_is_timed_once(
    tmp_path: Path, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy, "TIMING_SECONDS", 0)
    runs = run(RunStore(tmp_path, create=True), silhouettes, 4)
    assert [run.train_seconds is None for run in runs] == [False, True, True, True]


def test_a_single_run_that_is_left_is_alone_and_so_timed(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    store = RunStore(tmp_path, create=True)
    assert len(run(store, silhouettes, MOST_TIMED)) == MOST_TIMED
    found = run(store, silhouettes, MOST_TIMED + 1)[-1]
    assert found.train_seconds is not None
    assert found.environment.way == "alone"


@pytest.mark.slow
def test_more_seeds_than_a_stack_holds_are_several_stacks(
    tmp_path: Path, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy, "GROUP", 2)
    monkeypatch.setattr(launch, "is_to_be_timed", lambda *_: False)
    found = run(RunStore(tmp_path, create=True), silhouettes, 5)
    ways = [run.environment.way for run in found]
    assert ways == ["stacked with 2"] * 4 + ["stacked with 1"]


@pytest.mark.slow
@pytest.mark.parametrize("recipes", [["default"], ["default", "adam"]])
def test_what_was_found_out_about_a_model_is_told_once(
    recipes: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(launch.Turn, "go_on", lambda turn, *_: turn.waiting.clear())
    torch.save(build_model("mlp", seed=9).state_dict(), tmp_path / "w.pt")
    study = plan("mlp", recipes, 2, weights=tmp_path / "w.pt", dataset="silhouettes", epochs=1)
    bench = open_bench(study, RunStore(tmp_path / "runs", create=True), None, Execution())
    for _ in range(2):  # as tuning does, before the runs
        run_missing(enumerate(study.entries()), bench)
    assert [text.count("tensors matched") for text in caplog.messages] == [1]


def test_trials_are_not_timed_and_run_together_where_what_differs_can(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    [job] = jobs("mlp", 1)
    recipe = job.recipe.override(validation_images=600)
    bench = Bench(
        silhouettes,
        None,
        CPU,
        RunStore(tmp_path, create=True),
        Execution(parallel="stacked", jobs=1),
    )
    for settings, way in (
        ([{"learning_rate": rate} for rate in (0.02, 0.1, 0.2)], "stacked with 3"),
        ([{"batch_size": size} for size in (64, 128)], "alone"),
    ):
        trials = [
            job.model_copy(
                update={"recipe": recipe.override(**each), "seed": k, "scored_on": "validation"}
            )
            for k, each in enumerate(settings)
        ]
        run_missing([(0, trials)], bench)
        found = [bench.store.load_run(trial) for trial in trials]
        assert [run.environment.way for run in found if run] == [way] * len(trials)


@pytest.mark.slow
def test_models_take_turns_so_that_a_stop_leaves_as_many_seeds_of_each(
    tmp_path: Path, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, int]] = []
    run_job = launch.run_job

    def note(job, *arguments):
        made.append((job.model, job.seed))
        return run_job(job, *arguments)

    monkeypatch.setattr(launch, "run_job", note)
    study = plan(["v0", "mlp"], "default", 3, dataset="silhouettes", epochs=1, train_images=100)
    store = RunStore(tmp_path, create=True)
    bench = Bench(silhouettes, None, CPU, store, Execution(parallel="serial"))
    run_missing(enumerate(study.entries()), bench)
    assert made == [(model, seed) for seed in range(3) for model in ("v0", "mlp")]


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "before", "seeds"), [(1e-6, 1, 1), (1e-6, 3, 1), (9e9, 3, 6)])
def test_a_time_limit_ends_with_as_many_seeds_of_every_model(
    seconds: float, before: int, seeds: int, tmp_path: Path, silhouettes: Dataset
) -> None:
    """Where V0 has some of before, the MLP comes first."""
    study = plan(["v0", "mlp"], "default", 6, dataset="silhouettes", epochs=1, train_images=100)
    store = RunStore(tmp_path, create=True)
    v0, mlp = study.entries()
    run_missing([(0, v0[:before])], Bench(silhouettes, None, CPU, store, Execution()))
    end = launch.time.monotonic() + seconds
    run_missing(enumerate([v0, mlp]), Bench(silhouettes, None, CPU, store, Execution(), end))
    assert [store.has_run(job) for job in mlp] == [True] * seeds + [False] * (6 - seeds)
    assert sum(store.has_run(job) for job in v0) == max(before, seeds)
