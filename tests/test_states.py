"""States are written whole and loaded by the job that wrote them, or refused in a sentence."""

from pathlib import Path

import pytest
import torch

from fashionbench.config.study import Job
from fashionbench.data.split import Split
from fashionbench.errors import StoreError, UsageError
from fashionbench.experiments.planning import plan
from fashionbench.experiments.states import StateWriter, load_state
from fashionbench.models.build import build_model
from fashionbench.training.loop import fit


def job_of(seed: int = 0, **settings: object) -> Job:
    asked = {"epochs": 2, "validation_images": 100} | settings
    ((job,),) = plan("v0", "default", [seed], dataset="silhouettes", **asked).entries()
    return job


@pytest.fixture
def folder(tmp_path: Path, few: Split) -> Path:
    """The states of two epochs."""
    job, model = job_of(), build_model("v0")
    writer = StateWriter(job, tmp_path, model, lambda: build_model("v0"), few)
    fit(model, few, job.recipe, device="cpu", keep=writer.write)
    return tmp_path


def test_a_state_is_loaded_as_it_was_written(tmp_path: Path, few: Split) -> None:
    job, model = job_of(), build_model("v0")
    writer = StateWriter(job, tmp_path, model, lambda: build_model("v0"), few)
    written = []
    history = fit(model, few, job.recipe, device="cpu", keep=written.append)
    assert writer.write(written[-1]) == history
    loaded = load_state(job, tmp_path, resume=True)
    assert loaded is not None
    assert loaded["fit"] == written[-1]["fit"]
    assert (loaded["job"], loaded["lost"]) == (job.model_dump(), [])
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded["model"][name], tensor)


def test_there_is_nothing_to_load_before_the_first_epoch(tmp_path: Path) -> None:
    assert load_state(job_of(), tmp_path, resume=True) is None


def test_best_is_the_state_of_the_best_epoch(tmp_path: Path, few: Split) -> None:
    job, model = job_of(), build_model("v0")
    writer = StateWriter(job, tmp_path, model, lambda: build_model("v0"), few)
    states = []
    fit(model, few, job.recipe, device="cpu", keep=states.append)
    for state, loss in zip(states, (0.5, 0.7), strict=True):
        curve = [(1, 0.5, 0.0), (2, loss, 0.0)][: state["fit"]["epochs"]]
        writer.write(state | {"fit": state["fit"] | {"validation_curve": curve}})
    epochs = [torch.load(tmp_path / f"{name}.pt")["fit"]["epochs"] for name in ("best", "last")]
    assert epochs == [1, 2]


def test_a_folder_with_a_run_is_left_alone_unless_resumed(folder: Path) -> None:
    with pytest.raises(UsageError, match="holds a training run already; go on with --resume"):
        load_state(job_of(), folder, resume=False)


def test_another_jobs_run_is_not_gone_on_with(folder: Path) -> None:
    with pytest.raises(UsageError, match="begun with epochs 2, not 5; give the same"):
        load_state(job_of(epochs=5), folder, resume=True)
    with pytest.raises(UsageError, match="seed 0, begun with other settings; give the same"):
        load_state(job_of(seed=7), folder, resume=True)


def test_damaged_states_are_named(folder: Path) -> None:
    path = folder / "last.pt"
    torch.save([1, 2], folder / "list.pt")
    damaged = (path.read_bytes()[:-200], b"nothing of the kind", b"")
    for content in (*damaged, (folder / "list.pt").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"last\.pt is damaged; move best\.pt to its place"):
            load_state(job_of(), folder, resume=True)
    (folder / "best.pt").unlink()
    with pytest.raises(StoreError, match=r"last\.pt is damaged; start anew"):
        load_state(job_of(), folder, resume=True)


def test_a_state_of_before_says_nothing_of_what_is_lost(folder: Path) -> None:
    state = torch.load(folder / "last.pt")
    del state["lost"]
    torch.save(state, folder / "last.pt")
    loaded = load_state(job_of(), folder, resume=True)
    assert loaded is not None
    assert loaded["lost"] == []
