"""Jobs in several processes: as many as asked for, the same numbers, and trouble told here."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from factories import CPU, jobs

from fashionbench.data.split import Dataset
from fashionbench.errors import DataError, FashionbenchError
from fashionbench.experiments.gate import Examination
from fashionbench.experiments.processes import run_in_processes, start_worker
from fashionbench.experiments.run import run_job
from fashionbench.store.run_store import RunStore

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.mark.parametrize(("most", "workers"), [(None, 2), (1, 1), (3, 3), (9, 4)])
def test_jobs_is_the_most_processes_at_once(most: int | None, workers: int, tmp_path: Path) -> None:
    started: list[int] = []

    def refuse() -> "subprocess.Popen[str]":
        started.append(1)
        return subprocess.Popen(
            [sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    store = RunStore(tmp_path, create=True)
    with pytest.raises(FashionbenchError, match="ended from outside"):
        list(run_in_processes(jobs("v0", 4), Examination(), None, store, most=most, start=refuse))
    assert len(started) == workers


@pytest.mark.slow
def test_processes_give_the_numbers_of_this_one(tmp_path: Path, silhouettes: Dataset) -> None:
    here, there = (RunStore(tmp_path / name, create=True) for name in ("here", "there"))
    asked = jobs("v2", 2)
    assert sorted(run_in_processes(asked, Examination(flops=5), None, there)) == sorted(
        job.key for job in asked
    )
    torch.set_num_threads(1)
    singles = [run_job(job, silhouettes, CPU, here) for job in asked]
    for job, single in zip(asked, singles, strict=True):
        other = there.load_run(job)
        assert other is not None
        assert other.flops_per_image == 5  # as told, not counted again
        assert other.train_seconds is None
        assert other.environment.threads == 1
        assert other.scores.accuracy == single.scores.accuracy
        assert (there.folder / "checkpoints").is_dir()


@pytest.mark.slow
def test_a_workers_trouble_is_told_here(tmp_path: Path) -> None:
    store = RunStore(tmp_path, create=True)
    [job] = jobs("v0", 1)
    real = job.model_copy(update={"dataset": "fashion-mnist"})
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="file"):
        list(run_in_processes([real], Examination(), tmp_path / "file", store))


def test_a_worker_that_is_killed_is_noticed(tmp_path: Path) -> None:
    def start_doomed() -> "subprocess.Popen[str]":
        process = start_worker()
        process.kill()
        return process

    store = RunStore(tmp_path, create=True)
    with pytest.raises(FashionbenchError, match="ended from outside"):
        list(run_in_processes(jobs("v0", 1), Examination(), None, store, start=start_doomed))
