"""Runs of the time before the package had rooms are found, and the models they trained load.

run_before_rooms.json was written by the code of then. It holds what that code called the same jobs
and the same sources; were one of them called otherwise now, every such run would be done again.
"""

import base64
import json
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch

from fashionbench.config.study import FIRST_PROTOCOL, Job, Study
from fashionbench.core.own_code import is_own
from fashionbench.data.split import Dataset
from fashionbench.experiments.planning import plan
from fashionbench.experiments.result import load_result
from fashionbench.models.build import build_model
from fashionbench.models.checkpoint import load_model
from fashionbench.store.records import TestSet
from fashionbench.store.run_store import RunStore

BEFORE = json.loads((Path(__file__).parent / "run_before_rooms.json").read_text("utf-8"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a person's files and the run folder lie, as they lay then."""
    monkeypatch.chdir(tmp_path)
    for name, text in BEFORE["files"].items():
        (tmp_path / name).write_text(text, "utf-8")
    checkpoints = tmp_path / "runs" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for name, content in BEFORE["checkpoints"].items():
        if name.endswith(".json"):
            (checkpoints / name).write_text(json.dumps(content), "utf-8")
        else:
            (checkpoints / name).write_bytes(zlib.decompress(base64.b64decode(content)))
    with sqlite3.connect(tmp_path / "runs" / "store.sqlite") as database:
        database.executescript("\n".join(BEFORE["store"]))
    return tmp_path / "runs"


def ask() -> Study:
    asked: dict[str, Any] = dict(BEFORE["asked"])
    study = plan(asked.pop("models"), asked.pop("recipes"), asked.pop("seeds"), **asked)
    return study.model_copy(update={"protocol": FIRST_PROTOCOL})


def jobs_of(study: Study) -> list[Job]:
    return [job for entry in study.entries() for job in entry]


@pytest.mark.usefixtures("folder")
def test_a_job_and_a_source_are_called_what_they_were_called() -> None:
    study = ask()
    assert list(study.model_sources) == BEFORE["model_sources"]
    assert list(study.recipe_sources) == BEFORE["recipe_sources"]
    assert [job.key for job in jobs_of(study)] == BEFORE["keys"]


def test_a_run_of_before_is_found(folder: Path) -> None:
    store = RunStore(folder)
    found = [record for job in jobs_of(ask()) if (record := store.load_run(job))]
    assert [record.job.key for record in found] == BEFORE["recorded"]
    assert all(len(record.losses) == 20 for record in found)


def test_a_comparison_of_before_can_still_be_reported(folder: Path, silhouettes: Dataset) -> None:
    study = ask().model_dump_json(exclude={"protocol"})  # as it was written then
    with sqlite3.connect(folder / "store.sqlite") as database:
        database.execute("INSERT INTO study VALUES (1, ?, 'the command')", (study,))
    few = silhouettes.test.images[:20].numpy(), silhouettes.test.labels[:20].numpy()
    RunStore(folder).save_test_set(TestSet("silhouettes", "Silhouettes", silhouettes.classes, *few))
    result = load_result(folder)
    found = [run.job.key for entry in result.entries for run in entry.runs]
    assert sorted(found) == sorted(BEFORE["recorded"])


def test_a_model_of_before_is_loaded_and_answers_as_it_did(folder: Path) -> None:
    checkpoints = sorted((folder / "checkpoints").glob("*.safetensors"))
    assert len(checkpoints) == 2
    for path in checkpoints:
        assert load_model(path)(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_what_fashionbench_brings_is_nobodys_own() -> None:
    assert not is_own(type(build_model("mlp")))
    assert not is_own(plan)
