"""A checkpoint, a resumed run and an export give the model that was trained, or say why not."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from fashionbench.config.study import Job
from fashionbench.data.split import Dataset
from fashionbench.errors import Interrupted, StoreError, UsageError
from fashionbench.experiments import whole
from fashionbench.experiments.planning import plan
from fashionbench.experiments.resume import train_in_folder
from fashionbench.experiments.run import run_job
from fashionbench.inference.export import export_model
from fashionbench.models.checkpoint import load_model
from fashionbench.store.records import TestSet
from fashionbench.store.run_store import RunStore
from fashionbench.training.history import History

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")
QUICK = {"dataset": "silhouettes", "epochs": 3, "train_images": 200}


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    (tmp_path / "nets").mkdir()
    return Path(shutil.copy(Path(__file__).parent / "own_nets.py", tmp_path / "nets" / "mine.py"))


@pytest.fixture(autouse=True)
def drawn_once(silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data set is not drawn anew for each run."""
    monkeypatch.setattr(
        "fashionbench.experiments.resume.load_data_of", lambda *_, **__: silhouettes
    )


def job_of(file: Path, name: str) -> Job:
    ((job,),) = plan([f"{file}:{name}"], ["default"], [3], **QUICK).entries()
    return job


def stop_after_one_epoch(job: Job, folder: Path) -> None:
    def stop(history: History) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        train_in_folder(job, folder, device="cpu", watch=stop)


RESUMABLE = ["InBuffers", "RandomFeatures", "Activations", "DropsByPython"]
LOST = {
    "RunningMean": "mean",
    "UnsavedBuffer": "mean",
    "Scale": "scale",
    "LateStart": "ready",
    "Memory": "seen",
    "OwnGenerator": "rng",
    "HookedMaximum": "a hook <largest>",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RESUMABLE)
def test_a_resumed_run_ends_where_a_whole_one_ends(
    name: str, nets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(nets, name)
    train_in_folder(job, tmp_path / "whole", device="cpu")
    stop_after_one_epoch(job, tmp_path / "stopped")
    train_in_folder(job, tmp_path / "stopped", device="cpu", resume=True)
    expected, found = (
        load_model(tmp_path / folder / "model.safetensors").state_dict()
        for folder in ("whole", "stopped")
    )
    for key, tensor in expected.items():
        assert torch.equal(found[key], tensor), key


@pytest.mark.parametrize("name", LOST)
def test_a_run_whose_state_no_file_holds_is_not_resumed(
    name: str,
    nets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = job_of(nets, name)
    stop_after_one_epoch(job, tmp_path / "stopped")
    assert "cannot be resumed after a stop" in caplog.text
    with pytest.raises(UsageError, match=f"training changes {LOST[name]}, which is neither"):
        train_in_folder(job, tmp_path / "stopped", device="cpu", resume=True)


@pytest.mark.slow
def test_without_the_check_a_resumed_run_would_silently_differ(
    nets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fashionbench.experiments.states.find_lost_state", lambda *_: [])
    job = job_of(nets, "Scale")
    train_in_folder(job, tmp_path / "whole", device="cpu")
    stop_after_one_epoch(job, tmp_path / "stopped")
    train_in_folder(job, tmp_path / "stopped", device="cpu", resume=True)
    expected, found = (
        torch.load(tmp_path / folder / "last.pt")["model"] for folder in ("whole", "stopped")
    )
    assert any(not torch.equal(found[key], tensor) for key, tensor in expected.items())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RunningMean", "Scale", "LateStart"])
def test_what_train_cannot_keep_whole_is_told_and_not_loaded(
    name: str, nets: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train_in_folder(job_of(nets, name), tmp_path / "run", device="cpu")
    assert "cannot be loaded again" in caplog.text
    with pytest.raises(StoreError, match="register_buffer"):
        load_model(tmp_path / "run" / "model.safetensors")


def test_a_file_is_not_loaded_where_it_would_answer_otherwise(nets: Path, tmp_path: Path) -> None:
    train_in_folder(job_of(nets, "Plain"), tmp_path / "run", device="cpu")
    beside = tmp_path / "run" / "model.json"
    facts = json.loads(beside.read_text())
    facts["answers"]["logits"][0][0] += 1
    beside.write_text(json.dumps(facts))
    with pytest.raises(StoreError, match="answers otherwise than the one that was trained"):
        load_model(tmp_path / "run" / "model.safetensors")


def test_files_of_before_without_answers_are_loaded(nets: Path, tmp_path: Path) -> None:
    train_in_folder(job_of(nets, "Plain"), tmp_path / "run", device="cpu")
    beside = tmp_path / "run" / "model.json"
    facts = json.loads(beside.read_text())
    del facts["answers"], facts["interface"]
    beside.write_text(json.dumps(facts))
    assert load_model(tmp_path / "run" / "model.safetensors").training is False


def recorded(file: Path, name: str, data: Dataset, folder: Path) -> RunStore:
    study = plan([f"{file}:{name}"], ["default"], [3], **QUICK)
    store = RunStore(folder, create=True)
    test = data.test
    store.save_test_set(
        TestSet(
            data.name, data.title, data.classes, test.images.numpy(), test.labels.byte().numpy()
        )
    )
    store.save_study(study, "fashionbench compare")
    ((job,),) = study.entries()
    run_job(job, data, torch.device("cpu"), store)
    return store


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Plain", "RandomFeatures", "TwoAnswers", "InBuffers"])
def test_an_export_answers_as_was_recorded(
    name: str, nets: Path, tmp_path: Path, silhouettes: Dataset
) -> None:
    store = recorded(nets, name, silhouettes, tmp_path / "runs")
    export_model(store.folder, "torch-export", tmp_path / "net.pt2")
    program = torch.export.load(tmp_path / "net.pt2").module()
    with torch.no_grad():
        answers = program(silhouettes.test.images[:500].unsqueeze(1).float() / 255)
    found = store.load_run(job_of(nets, name))
    assert found is not None
    assert np.array_equal(answers.argmax(1).numpy(), found.predicted[:500])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RunningMean", "Memory"])
def test_what_no_file_holds_is_not_exported(
    name: str, nets: Path, tmp_path: Path, silhouettes: Dataset
) -> None:
    store = recorded(nets, name, silhouettes, tmp_path / "runs")
    with pytest.raises(StoreError, match="cannot be loaded again"):
        export_model(store.folder, "torch-export", tmp_path / "net.pt2")


def test_an_export_is_compared_with_the_record_not_with_what_is_rebuilt_alone(
    nets: Path, tmp_path: Path, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fashionbench.experiments.recording.why_unloadable", lambda *_: None)
    monkeypatch.setattr("fashionbench.models.checkpoint.answers_as_recorded", lambda *_: True)
    store = recorded(nets, "RunningMean", silhouettes, tmp_path / "runs")
    with pytest.raises(StoreError, match="does not answer as was recorded"):
        export_model(store.folder, "torch-export", tmp_path / "net.pt2")
    assert not (tmp_path / "net.pt2").exists()


def test_what_is_computed_anew_from_the_images_is_not_lost(nets: Path) -> None:
    from fashionbench.core.own_code import locate
    from fashionbench.core.snapshot import plain_state

    images = torch.rand(4, 1, 28, 28)
    model = locate(f"{nets}:Activations")()
    before = plain_state(model)
    model(images)
    assert plain_state(model) != before
    assert whole.find_lost_state(model, before, images) == []
    other = locate(f"{nets}:RunningMean")()
    before = plain_state(other)
    other(images)
    assert whole.find_lost_state(other, before, images) == ["mean"]


OF_A_FILE = """
import torch
from torch import nn

STATE = {"steps": 0}

class Net(nn.Sequential):
    STEPS = 0
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))

class OfItsClass(Net):
    def forward(self, x):
        if self.training:
            type(self).STEPS += 1
        return super().forward(x) * (1 + self.STEPS)

class OfItsFile(Net):
    def forward(self, x):
        if self.training:
            STATE["steps"] += 1
        return super().forward(x) * (1 + STATE["steps"])
"""


@pytest.mark.parametrize(("name", "held"), [("OfItsClass", "STEPS"), ("OfItsFile", "<STATE>")])
def test_what_training_changes_in_a_class_or_its_file_is_told_in_the_record(
    name: str, held: str, tmp_path: Path, silhouettes: Dataset
) -> None:
    (tmp_path / "mine.py").write_text(OF_A_FILE)
    job = job_of(tmp_path / "mine.py", name)
    store = RunStore(tmp_path / "runs", create=True)
    record = run_job(job, silhouettes, torch.device("cpu"), store)
    assert f"depend on {name}.{held}" in record.remarks["not loadable"]
