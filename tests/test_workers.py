"""The commands that many machines need, as a person gives them."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from factories import jobs, make_record, make_result, plan_here, run_cli
from random_kills import Attack
from typer.testing import Result

from fashionbench.experiments.cluster.plan import Block, PlanFolder
from fashionbench.store.packed import PackedRun, RunFile
from fashionbench.store.run_store import RunStore

BRIEF = ("--dataset", "silhouettes", "--epochs", "1", "--device", "cpu")


def test_a_worker_trains_what_is_planned(tmp_path: Path) -> None:
    PlanFolder(tmp_path / "x").write(plan_here())
    PlanFolder(tmp_path / "x").add(Block(jobs=jobs("v0", 3)))
    answer = run_cli("worker", "x", "--minutes", 5, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "3 runs finished\n"), answer.stderr
    again = run_cli("worker", "x", "--minutes", 5, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "0 runs finished\n"), again.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"torch": "1.0"}, "The plan is for torch 1.0"),
        ({"code": "0"}, "The plan is for fashionbench's code 0"),
    ],
)
def test_a_worker_that_differs_is_refused(
    change: dict[str, str], told: str, tmp_path: Path
) -> None:
    PlanFolder(tmp_path).write(plan_here().model_copy(update=change))
    answer = run_cli("worker", tmp_path, cwd=tmp_path)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_folder_without_a_plan_is_told(tmp_path: Path, call_cli: Callable[..., Result]) -> None:
    answer = call_cli("worker", "nowhere")
    assert answer.exit_code == 1
    assert "There is no plan in" in answer.stderr


def test_what_is_no_place_for_workers_is_told(call_cli: Callable[..., Result]) -> None:
    answer = call_cli("compare", "--on", "moon:4", *BRIEF)
    assert answer.exit_code == 2
    assert "on is 'moon:4', but there are workers:4" in answer.stderr


def test_a_budget_is_of_this_machine_alone(call_cli: Callable[..., Result]) -> None:
    answer = call_cli("compare", "--on", "slurm:2", "--tune", "lr", "--budget", "10m", *BRIEF)
    assert answer.exit_code == 2
    assert "with --on slurm:2 workers train; give --trials instead" in answer.stderr
    assert not Path("runs").exists()


def test_a_report_takes_in_what_has_come(tmp_path: Path, call_cli: Callable[..., Result]) -> None:
    result = make_result(tmp_path / "x", models=("v0", "v1"), seeds=2)
    last = result.entries[1].runs[1]
    store = RunStore(tmp_path / "x")
    with sqlite3.connect(store.path) as database:
        database.execute("DELETE FROM runs WHERE key = ?", (last.job.key,))
    assert not store.has_run(last.job)
    RunFile(PackedRun.pack(make_record(last.job)), None).write(tmp_path / "x" / "inbox")
    answer = call_cli("report", "x")
    assert answer.exit_code == 0
    assert "runs are finished" not in answer.stdout
    assert store.has_run(last.job)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_workers_and_drivers_that_are_killed_at_random_lose_and_double_nothing(
    tmp_path: Path,
) -> None:
    attack = Attack(tmp_path, workers=4, seconds=12, seeds=12)
    attack.run()
    assert attack.killed > 0
    attack.check()
