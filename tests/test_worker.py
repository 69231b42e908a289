"""A worker as a program, beside the driver that started it."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factories import PATIENCE, jobs, plan_here, seen_on_a_terminal, some_arrays, write_idx

from fashionbench.config.study import Job
from fashionbench.data.datasets import identify_dataset
from fashionbench.errors import StoreError
from fashionbench.experiments.cluster.inbox import Inbox
from fashionbench.experiments.cluster.plan import Block, PlanFolder
from fashionbench.experiments.cluster.worker import work
from fashionbench.experiments.planning import plan
from fashionbench.store.packed import RunFile, run_file_name

OWN_MODELS = """
import sys
import fashionbench.experiments.run
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
        print("hello from the model", flush=True)
"""


class Worker(subprocess.Popen[str]):
    """A worker for the plan in `folder`."""

    def __init__(self, folder: Path, dataset: str = "silhouettes", **options: Any) -> None:
        self.folder, self.plan = folder, PlanFolder(folder)
        self.plan.write(plan_here(dataset, parallel="serial"))
        arguments = [sys.executable, "-m", "fashionbench.experiments.cluster.worker", folder]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        super().__init__(arguments, text=True, **pipes | options)

    def __exit__(self, *error: Any) -> None:
        self.kill()  # a test that fails waits for nothing
        super().__exit__(*error)

    def add(self, *asked: Job) -> str:
        block = Block(jobs=asked)
        self.plan.add(block)
        return block.name

    def wait_for(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline
            assert self.poll() is None
            time.sleep(0.02)

    def run(self, job: Job) -> RunFile:
        self.add(job)
        path = self.folder / "inbox" / run_file_name(job.key, "cpu")
        self.wait_for(path.is_file)
        return RunFile.read(path)


def own_job(folder: Path, epochs: int = 1) -> Job:
    (folder / "own.py").write_text(OWN_MODELS)
    study = plan([f"{folder / 'own.py'}:Net"], ["default"], 1, dataset="silhouettes", epochs=epochs)
    ((job,),) = study.entries()
    return job


@pytest.mark.slow
def test_whatever_a_model_prints_runs_come_and_a_failure_ends_it(tmp_path: Path) -> None:
    own = own_job(tmp_path)
    absent = own.model_copy(update={"model": "nowhere.py:Net"})
    with Worker(tmp_path) as worker:
        record = worker.run(own).run.unpack()
        assert record.environment.threads == 1
        assert record.train_seconds is None
        name = worker.add(absent)
        told = worker.stdout.read()  # it ends, so that the next is a new process
        said = worker.stderr.read()
        worker.wait(timeout=PATIENCE)
        (failure,) = Inbox(tmp_path).read_failures(name)
    assert (told, worker.returncode) == ("", 0)
    assert failure.kind == "UsageError"
    assert "nowhere.py" in failure.message
    assert "hello from the model" in said
    assert not (tmp_path / "store.sqlite").exists()


@pytest.mark.slow
def test_data_is_read_once(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "digits", some_arrays())
    changed = {"dataset": str(folder), "dataset_source": identify_dataset(str(folder))}
    first, second = (
        job.model_copy(update={**changed, "recipe": job.recipe.override(batch_size=8)})
        for job in jobs("v0", 2)
    )
    with Worker(tmp_path / "runs", str(folder)) as worker:
        worker.run(first)
        shutil.rmtree(folder)
        worker.run(second)


@pytest.mark.slow
def test_it_ends_with_its_driver_in_the_middle_of_a_job(tmp_path: Path) -> None:
    with Worker(tmp_path) as worker:
        worker.add(own_job(tmp_path, epochs=100_000))
        assert worker.stderr.readline() == "hello from the model\n"
        worker.stdin.close()
        worker.wait(timeout=PATIENCE)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_it_draws_no_bars_on_the_terminal_of_the_one_that_started_it(tmp_path: Path) -> None:
    def train(terminal: int) -> None:
        with Worker(tmp_path, stderr=terminal) as worker:
            worker.run(own_job(tmp_path))

    assert set(seen_on_a_terminal(train).splitlines()) == {b"hello from the model"}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs limits of the system")
def test_a_disk_that_takes_no_more_is_told_to_the_driver(tmp_path: Path) -> None:
    def forbid_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    with Worker(tmp_path, preexec_fn=forbid_large_files) as worker:
        (job,) = jobs("v0", 1)
        worker.add(job)
        answer = json.loads(worker.stdout.readline())
    assert answer["error"] == "StoreError"
    assert "cannot be written (File too large). What is finished is kept" in answer["message"]
    assert Inbox(tmp_path).names() == Inbox(tmp_path).failed() == set()
    assert [*(tmp_path / "claims").iterdir()] == []


def test_a_folder_without_a_plan_has_no_work(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no plan in"):
        work(tmp_path)


@pytest.mark.slow
def test_the_plans_threads_are_set_before_torch_is_imported(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from fashionbench.experiments.cluster.worker import work\n"
        "assert 'torch' not in sys.modules\n"
        "print(work(Path(sys.argv[1]), minutes=5))\n"
        "import torch\n"
        "print(torch.get_num_threads(), os.environ['OMP_NUM_THREADS'])\n"
    )
    PlanFolder(tmp_path).write(plan_here(threads=3))
    (job,) = jobs("v0", 1)
    PlanFolder(tmp_path).add(Block(jobs=(job,)))
    told = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert (told.stderr, told.stdout.split()) == ("", ["1", "3", "3"])
    (path,) = (tmp_path / "inbox").glob("*.run")
    assert RunFile.read(path).run.unpack().environment.threads == 3
