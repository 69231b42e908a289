"""Worker processes on this machine: as many as asked for, replaced when they die."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from factories import PATIENCE, jobs

from fashionbench.errors import DataError, FashionbenchError
from fashionbench.experiments.cluster.local import DEATHS, LocalWorkers, start_worker
from fashionbench.experiments.cluster.plan import Block, PlanFolder

Start = Callable[..., "subprocess.Popen[str]"]


def program(text: str) -> Start:
    """Stands in for a worker."""
    return lambda *arguments: subprocess.Popen(
        [sys.executable, "-c", text, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait(workers: LocalWorkers) -> None:
    for process in workers._processes:
        process.wait(timeout=PATIENCE)


def test_so_many_are_started_and_all_are_ended(tmp_path: Path) -> None:
    workers = LocalWorkers(tmp_path, 3, program("input()"))
    workers.start()
    assert workers.look_after(progressed=False) == []
    workers.stop(finished=True)
    assert [process.returncode for process in workers._processes] == [-9] * 3


def test_one_has_the_machine_to_itself_while_runs_are_timed(tmp_path: Path) -> None:
    block, plan = Block(jobs=jobs("v0", 1)), PlanFolder(tmp_path)
    plan.add(block, timed=True)
    workers = LocalWorkers(tmp_path, 3, program("input()"))
    workers.start()
    workers.look_after(progressed=False)
    (first,) = workers._processes
    assert first.args[-1] == "--timed"  # type: ignore[index]
    plan.remove(block.name)
    workers.look_after(progressed=True)
    assert workers._processes[0] is first
    assert ["--timed" in process.args for process in workers._processes[1:]] == [False] * 2  # type: ignore[operator]
    workers.stop(finished=True)


def test_one_that_ends_is_replaced_and_told(tmp_path: Path) -> None:
    workers = LocalWorkers(tmp_path, 2, program(""))
    workers.start()
    wait(workers)
    gone = {process.pid for process in workers._processes}
    assert {holder.pid for holder in workers.look_after(progressed=False)} == gone
    assert {process.pid for process in workers._processes}.isdisjoint(gone)
    assert len(workers._processes) == 2
    workers.stop(finished=True)


def test_deaths_are_borne_while_runs_come_in(tmp_path: Path) -> None:
    workers = LocalWorkers(tmp_path, 1, program("raise SystemExit(9)"))
    workers.start()
    for _ in range(2 * DEATHS):
        wait(workers)
        workers.look_after(progressed=True)
    for _ in range(DEATHS - 1):  # one was counted with the last progress
        wait(workers)
        workers.look_after(progressed=False)
    wait(workers)
    with pytest.raises(FashionbenchError, match="ended from outside, or had too little memory"):
        workers.look_after(progressed=False)
    workers.stop(finished=True)


def test_what_a_worker_cannot_go_on_for_is_raised_here(tmp_path: Path) -> None:
    told = '{"error": "DataError", "message": "the data are gone"}'
    workers = LocalWorkers(tmp_path, 1, program(f"print('{told}'); raise SystemExit(1)"))
    workers.start()
    wait(workers)
    with pytest.raises(DataError, match="the data are gone"):
        workers.look_after(progressed=False)
    workers.stop(finished=True)


@pytest.mark.slow
def test_a_real_worker_tells_that_there_is_no_plan(tmp_path: Path) -> None:
    workers = LocalWorkers(tmp_path, 1, start_worker)
    workers.start()
    wait(workers)
    with pytest.raises(FashionbenchError, match="There is no plan in"):
        workers.look_after(progressed=False)
    workers.stop(finished=True)
