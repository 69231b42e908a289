"""A tuning from call to choice: what is run, resumed, widened and told."""

import logging
from pathlib import Path
from typing import Any

import pytest

import fashionbench as fb
from fashionbench.config.study import Job, Study
from fashionbench.config.tuning import TUNING_SEEDS
from fashionbench.errors import Interrupted, UsageError
from fashionbench.experiments import launch
from fashionbench.experiments.planning import plan
from fashionbench.experiments.tuning import tuned_entries
from fashionbench.store.records import RunRecord
from fashionbench.store.run_store import RunStore
from fashionbench.store.trials import Progress, follow

ASKED: dict[str, Any] = {"dataset": "silhouettes", "device": "cpu", "epochs": 1, "seeds": 2}


def saved(folder: Path) -> tuple[RunStore, Study]:
    store = RunStore(folder)
    return store, store.load_study()[0]


def trial_keys(folder: Path) -> list[str]:
    store, study = saved(folder)
    return [
        record.job.key
        for entry in range(len([*study.entries()]))
        for record in follow(study, entry, store.load_run).records
    ]


def runs_of(progress: Progress, stage: int) -> list[RunRecord]:
    pairs = zip(progress.trials, progress.records, strict=True)
    return [record for trial, record in pairs if trial.stage == stage]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    fb.compare(["v0", "mlp"], tune="lr", trials=4, out=runs, **ASKED)
    return runs


def test_every_entry_tries_the_same_points_from_the_same_seeds(folder: Path) -> None:
    store, study = saved(folder)
    progress = [follow(study, entry, store.load_run) for entry in range(2)]
    assert [each.missing for each in progress] == [(), ()]
    first = [
        {(run.job.recipe.learning_rate, run.job.seed) for run in runs_of(each, stage=1)}
        for each in progress
    ]
    assert first[0] == first[1]
    assert len(first[0]) >= 4
    assert {seed for _, seed in first[0]} == {TUNING_SEEDS}
    for each in progress:
        again = {run.job.seed for run in runs_of(each, stage=2)}
        assert again == {TUNING_SEEDS + index for index in (1, 2, 3)}


def test_the_runs_by_what_was_chosen_have_fresh_seeds_and_all_training_images(
    folder: Path,
) -> None:
    store, study = saved(folder)
    for _, entry in tuned_entries(study, store):
        assert [job.seed for job in entry] == [0, 1]
        for job in entry:
            assert (job.recipe.validation_images, job.scored_on) == (0, "test")
            assert store.has_run(job)


def test_asked_again_nothing_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("everything is there")

    monkeypatch.setattr(launch, "open_bench", refuse)
    before = trial_keys(folder)
    fb.compare(["v0", "mlp"], tune="lr", trials=4, out=folder, **ASKED)
    assert trial_keys(folder) == before


def test_more_trials_and_other_models_share_those_that_are_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Job] = []

    class Counted(launch.Turn):
        def __init__(self, missing: launch.Missing, *rest: Any) -> None:
            ran.extend(missing.jobs)
            super().__init__(missing, *rest)

    monkeypatch.setattr(launch, "Turn", Counted)
    before = trial_keys(folder)
    fb.compare(["mlp"], tune="lr", trials=5, out=folder, **ASKED)
    first = [job for job in ran if job.seed == TUNING_SEEDS]
    assert not {job.key for job in ran} & set(before)
    assert 1 <= len(first) <= 2, "one point more, and perhaps one more beyond the space"


def test_a_tuning_that_was_stopped_goes_on_and_chooses_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, kept = RunStore.save_run, []

    def stop_after_six(store: RunStore, record: Any) -> None:
        if len(kept) == 6:
            raise KeyboardInterrupt
        save(store, record)
        kept.append(record.job.key)

    asked: dict[str, Any] = {"tune": "lr", "trials": 4, "out": tmp_path, "parallel": "serial"}
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "save_run", stop_after_six)
        with pytest.raises(Interrupted, match=r"6 of 8 trials are finished and kept"):
            fb.compare(["v0", "mlp"], **asked, **ASKED)
    fb.compare(["v0", "mlp"], **asked, **ASKED)
    fb.compare(["v0", "mlp"], **asked | {"out": tmp_path / "whole", "parallel": "auto"}, **ASKED)
    assert set(kept) < set(trial_keys(tmp_path))
    store, study = saved(tmp_path)
    other_store, other = saved(tmp_path / "whole")
    for entry in range(2):  # alone as together, but for rounding
        found = follow(study, entry, store.load_run)
        expected = follow(other, entry, other_store.load_run)
        assert [c.point for c in found.choices] == [c.point for c in expected.choices]


def test_a_space_that_is_too_small_is_widened_once_for_every_entry(tmp_path: Path) -> None:
    asked = ASKED | {"seeds": 1, "learning_rate": 0.001}  # far too slow for one epoch
    fb.compare(["v0", "mlp"], tune={"lr": "log 1/4..4"}, trials=4, out=tmp_path, **asked)
    store, study = saved(tmp_path)
    assert study.tuning is not None
    assert study.tuning.widened == (("learning_rate", "high"),)
    for entry in range(2):
        tried = runs_of(follow(study, entry, store.load_run), stage=1)
        rates = sorted(run.job.recipe.learning_rate for run in tried)
        assert len(rates) == 4 + 2
        assert 0.00025 <= rates[0] < rates[3] <= 0.004 <= rates[4] < rates[5] <= 0.016


def test_settings_that_no_stack_can_have_are_tuned_too(tmp_path: Path) -> None:
    fb.compare("linear", tune="batch_size,momentum", trials=2, out=tmp_path, **ASKED | {"seeds": 1})
    store, study = saved(tmp_path)
    progress = follow(study, 0, store.load_run)
    assert progress.missing == ()
    tried = {run.job.recipe.batch_size for run in runs_of(progress, stage=1)}
    assert len(tried) >= 2
    assert all(1 <= size <= 1500 for size in tried)


def test_studies_share_the_seeds_of_the_runs(tmp_path: Path) -> None:
    asked = ASKED | {"seeds": 3}
    fb.compare("linear", tune="lr", trials=4, studies=2, out=tmp_path, **asked)
    store, study = saved(tmp_path)
    progress = follow(study, 0, store.load_run)
    assert progress.studies == (0, 1, 0)
    assert len({trial.seed for trial in progress.trials if trial.study == 0}) == 4
    [(_, entry)] = tuned_entries(study, store)
    for job, number in zip(entry, progress.studies, strict=True):
        assert job.recipe.learning_rate == progress.settings[number]["learning_rate"]


def test_with_a_budget_the_dealt_trials_are_kept(tmp_path: Path) -> None:
    asked = ASKED | {"seeds": 1, "trials": 3, "budget": "10m"}
    fb.compare(["v0", "linear"], tune="lr", out=tmp_path, **asked)
    _, study = saved(tmp_path)
    assert study.tuning is not None
    assert study.tuning.dealt == (3, 3)


def test_a_budget_that_is_too_small_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too small for a trial of every entry"):
        fb.compare("v0", tune="lr", budget=1e-4, out=tmp_path, **ASKED)
    assert not [*tmp_path.glob("checkpoints/*")]
    store = RunStore(tmp_path)
    study = plan("v0", "default", 2, dataset="silhouettes", tune="lr", epochs=1)
    assert not any(store.has_run(study.trial_job(0, point, 0, 0)) for point in range(15))


def test_it_is_told_that_images_are_held_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = ASKED | {"seeds": 1, "trials": 1}
    with caplog.at_level(logging.WARNING, "fashionbench"):
        fb.compare("linear", tune="lr", out=tmp_path, **asked)
        fb.compare("linear", tune="lr", out=tmp_path, validation_images=500, **asked)
    told = [text for text in caplog.messages if "held out" in text]
    assert len(told) == 1
    assert "a tenth of the training images (600)" in told[0]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"tune": "lr", "trials": 4, "studies": 3, "seeds": 2}, "2 seeds cannot be shared out"),
        ({"tune": "lr", "until": 0.1, "studies": 3, "seeds": 3}, "leave one of them out"),
        ({"tune": "lr", "splits": 2}, "--tune chooses by training images of the official split"),
        ({"tune": "lr", "seeds": [0, 1_000_000]}, "are those of tuning"),
        ({"tune": "momentum", "recipes": "adam"}, "adam takes no momentum"),
        ({"tune": "warm_up", "schedule": "one-cycle"}, "one-cycle has a warm-up of its own"),
        ({"tune": "lr", "recipes": [fb.load_recipe("default"), "slow.toml"]}, "differ in nothing"),
        ({"tune": {"momentum": "linear 0..2"}}, "less than 1"),
        ({"tune": {"batch_size": "log 0.1..4"}}, "batch_size is 0"),
        ({"tune": {"batch_size": "log 1..1e300"}}, "less than or equal to 1000000000"),
        ({"tune": "speed"}, "speed is no setting"),
    ],
)
def test_what_does_not_go_together_is_refused(
    asked: dict[str, Any], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.toml").write_text("learning_rate = 0.01\n")
    fields = {"models": ["v0", "mlp"], "recipes": "default", "seeds": 2, "dataset": "silhouettes"}
    with pytest.raises(UsageError, match=problem):
        plan(**fields | asked)


def test_recipes_of_two_models_may_differ_in_what_is_tuned_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.toml").write_text("learning_rate = 0.01\n")
    study = plan(["v0", "mlp@slow.toml"], "default", 2, dataset="silhouettes", tune="lr")
    assert [entry[0].recipe.learning_rate for entry in study.entries()] == [0.1, 0.01]


def test_weights_that_are_only_scored_are_not_tuned() -> None:
    nothing = fb.load_recipe("default").override(epochs=0)
    with pytest.raises(UsageError, match="trains nothing"):
        plan("v0", nothing, 2, dataset="silhouettes", tune="lr")
