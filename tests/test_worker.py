"""The worker's protocol, spoken to it as a program."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from factories import PATIENCE, jobs, seen_on_a_terminal, some_arrays, write_idx

from fashionbench.config.study import Job
from fashionbench.data.datasets import identify_dataset
from fashionbench.experiments.planning import plan
from fashionbench.store.run_store import RunStore

OWN_MODELS = """
import sys
import fashionbench.experiments.run
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
        print("hello from the model", flush=True)

class Saboteur(Net):
    def __init__(self):
        super().__init__()
        if sys.argv[0].endswith("worker.py"):
            fashionbench.experiments.run.save_model = None  # stands for any fault of the program
"""


class Worker(subprocess.Popen[str]):
    """A worker for the store in `folder`."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.store = RunStore(folder, create=True)
        arguments = [sys.executable, "-m", "fashionbench.experiments.worker"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        super().__init__(arguments, text=True, **pipes | options)
        known = {"flops": 5, "remarks": {}}
        about = {"data_dir": None, "threads": 1, "path": sys.path, "examined": known}
        self.tell({"folder": str(folder)} | about)

    def __exit__(self, *error: Any) -> None:
        self.kill()  # a test that fails waits for nothing
        super().__exit__(*error)

    def tell(self, document: dict[str, Any]) -> None:
        print(json.dumps(document), file=self.stdin, flush=True)

    def run(self, job: Job) -> dict[str, str]:
        self.tell(job.model_dump())
        return json.loads(self.stdout.readline())


def own_job(folder: Path, name: str = "Net", epochs: int = 1) -> Job:
    (folder / "own.py").write_text(OWN_MODELS)
    study = plan(
        [f"{folder / 'own.py'}:{name}"], ["default"], 1, dataset="silhouettes", epochs=epochs
    )
    ((job,),) = study.entries()
    return job


@pytest.mark.slow
def test_jobs_are_answered_one_by_one_whatever_a_model_prints_or_raises(tmp_path: Path) -> None:
    own, faulty = own_job(tmp_path), own_job(tmp_path, "Saboteur")
    absent = own.model_copy(update={"model": "nowhere.py:Net"})
    with Worker(tmp_path) as worker:
        assert worker.run(own) == {"done": own.key}
        answer = worker.run(absent)
        assert answer["error"] == "UsageError"
        assert "nowhere.py" in answer["message"]
        assert worker.run(own) == {"done": own.key}
        answer = worker.run(faulty)
        assert answer["error"] == "FashionbenchError"
        assert answer["message"].startswith(f"{faulty.model} failed from seed 0: TypeError: ")
        _, said = worker.communicate(timeout=PATIENCE)
    assert "hello from the model" in said
    assert "Traceback" in said
    assert worker.store.has_run(own)


@pytest.mark.slow
def test_data_is_read_once(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "digits", some_arrays())
    changed = {"dataset": str(folder), "dataset_source": identify_dataset(str(folder))}
    first, second = (
        job.model_copy(update={**changed, "recipe": job.recipe.override(batch_size=8)})
        for job in jobs("v0", 2)
    )
    with Worker(tmp_path) as worker:
        assert worker.run(first) == {"done": first.key}
        shutil.rmtree(folder)
        assert worker.run(second) == {"done": second.key}


@pytest.mark.slow
def test_the_end_of_the_input_ends_it_in_the_middle_of_a_job(tmp_path: Path) -> None:
    with Worker(tmp_path) as worker:
        worker.tell(own_job(tmp_path, epochs=100_000).model_dump())
        assert worker.stderr.readline() == "hello from the model\n"
        worker.stdin.close()
        worker.wait(timeout=PATIENCE)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_it_draws_no_bars_on_the_terminal_of_the_one_that_started_it(tmp_path: Path) -> None:
    def train(terminal: int) -> None:
        with Worker(tmp_path, stderr=terminal) as worker:
            assert "done" in worker.run(own_job(tmp_path))

    assert seen_on_a_terminal(train).split() == b"hello from the model".split()
