"""A worker at work: what it takes, what it leaves, and that a seed ends the same anywhere."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from factories import plan_here

from fashionbench.config.study import Job
from fashionbench.data.split import Dataset
from fashionbench.errors import DataError, StoreError, UsageError
from fashionbench.experiments.cluster import shift as module
from fashionbench.experiments.cluster.claims import Claims, Holder
from fashionbench.experiments.cluster.heartbeat import Heartbeat
from fashionbench.experiments.cluster.inbox import Inbox
from fashionbench.experiments.cluster.plan import Block, PlanFolder, split_evenly
from fashionbench.experiments.cluster.shift import Shift
from fashionbench.experiments.planning import plan as plan_study
from fashionbench.store.packed import RunFile
from fashionbench.store.records import RunRecord


class Setting:
    """A run folder with blocks, and workers that take them one after another in this process."""

    def __init__(self, folder: Path, dataset: Dataset, **changes: object) -> None:
        self.folder, self.plan_folder, self.inbox = folder, PlanFolder(folder), Inbox(folder)
        plan = plan_here(dataset)
        self.plan = plan.model_copy(update=changes)
        self.plan_folder.write(self.plan)

    def add(
        self, *parts: Sequence[Job], seconds: float | None = None, timed: bool = False
    ) -> list[str]:
        blocks = [Block(jobs=tuple(part), seconds=seconds) for part in parts]
        for block in blocks:
            self.plan_folder.add(block, timed=timed)
        return [block.name for block in blocks]

    def work(
        self,
        place: str = "node1",
        *,
        is_local: bool = False,
        timed: bool = False,
        seconds: float | None = None,
    ) -> Shift:
        """Work until nothing is left."""
        claims = Claims(self.folder, self.plan.patience, Holder(place, 1))
        deadline = None if seconds is None else module.time.monotonic() + seconds
        with Heartbeat(self.plan.patience, deadline, signals=False) as heartbeat:
            shift = Shift(self.folder, self.plan, claims, heartbeat, place, is_local, timed)
            shift.work()
        return shift

    def records(self) -> dict[str, RunRecord]:
        files = [RunFile.read(path) for path in self.inbox.folder.glob("*.run")]
        return {file.run.key: file.run.unpack() for file in files}


@pytest.fixture
def setting(tmp_path: Path, silhouettes: Dataset) -> Setting:
    return Setting(tmp_path, silhouettes, patience=0.5)


def brief(model: str, seeds: int, **settings: object) -> tuple[Job, ...]:
    """Jobs of a few steps each."""
    asked = {"train_images": 100, "epochs": 1, **settings}
    return next(plan_study([model], ["default"], seeds, dataset="silhouettes", **asked).entries())


def test_all_blocks_are_trained_and_told(setting: Setting) -> None:
    asked = brief("v0", 5)
    names = setting.add(*split_evenly(asked, 2))
    assert setting.work().runs == 5
    assert setting.records().keys() == {job.key for job in asked}
    assert {path.name for path in (setting.folder / "claims").iterdir()} == {
        f"{name}.done" for name in names
    }


def test_of_a_block_only_what_is_missing_is_trained(setting: Setting) -> None:
    asked = brief("v0", 4)
    setting.add(asked[:3])
    setting.work()
    first = setting.records()
    setting.add(asked)
    assert setting.work().runs == 1
    assert setting.records().keys() == {job.key for job in asked}
    assert all(setting.records()[key].recorded_at == run.recorded_at for key, run in first.items())


def test_a_worker_alone_on_its_machine_times_runs_and_no_other_does(setting: Setting) -> None:
    few, more = brief("v0", 2), brief("mlp", 2)
    setting.add(few, timed=True)
    setting.add(more)
    assert setting.work().runs == 2  # and does not wait for what is not its own
    assert setting.work(timed=True).runs == 2
    times = {key: run.train_seconds for key, run in setting.records().items()}
    assert all(times[job.key] for job in few)
    assert [times[job.key] for job in more] == [None] * 2


def test_a_drivers_own_worker_goes_on_with_what_is_not_timed(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting.add(brief("v0", 1), timed=True)
    setting.add(brief("mlp", 1))

    def close(seconds: float) -> None:
        """Act the driver; at last end the worker."""
        if not setting.plan_folder.names(timed=True):
            raise KeyboardInterrupt
        for name in setting.plan_folder.names(timed=True):
            setting.plan_folder.remove(name)

    monkeypatch.setattr(module.time, "sleep", close)
    with pytest.raises(KeyboardInterrupt):
        setting.work(timed=True, is_local=True)
    assert sorted(run.train_seconds is None for run in setting.records().values()) == [False, True]


NETS = """
from torch import nn

class Dropping(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 8), nn.Dropout(0.3), nn.Linear(8, 10))

class Normed(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 8), nn.LayerNorm(8), nn.Linear(8, 10))

class Failing(Normed):
    def forward(self, images):
        if self.training and len(images) > 8:
            raise RuntimeError("no luck today")
        return super().forward(images)
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path / "nets.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "way"), [("v0", "stacked"), ("Normed", "stacked"), ("Dropping", "in one of")]
)
def test_a_seed_ends_the_same_in_a_block_of_8_and_of_64(
    model: str, way: str, nets: Path, tmp_path: Path, silhouettes: Dataset
) -> None:
    asked = brief(model if model == "v0" else f"{nets}:{model}", 64)
    small, large = (Setting(tmp_path / name, silhouettes) for name in ("small", "large"))
    small.add(asked[:8])
    large.add(asked)
    for setting in (small, large):
        setting.work()
    for job in asked[:8]:
        one, other = (setting.records()[job.key] for setting in (small, large))
        assert one.environment.way.startswith(way)
        if model == "Normed":  # torch may add in another order where more are multiplied at once
            np.testing.assert_allclose(one.losses, other.losses, rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_array_equal(one.losses, other.losses)


def test_a_model_that_fails_is_told_and_not_tried_again(setting: Setting, nets: Path) -> None:
    bad = setting.add(*([job] for job in brief(f"{nets}:Failing", 4)))
    (good,) = setting.add(brief("v0", 2))
    assert setting.work().runs == 2  # however many of the others came first
    for name in bad:
        (failure,) = setting.inbox.read_failures(name)
        assert (failure.host, failure.kind) == ("node1", "UsageError")
        assert "no luck today" in failure.message
    assert setting.inbox.read_failures(good) == []


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be trained, for a reason that may lie with the machine."""
    monkeypatch.setattr(module, "run_block", lambda *_, **__: {}["absent"])


@pytest.mark.usefixtures("faulty")
def test_what_may_be_a_fault_of_the_place_is_tried_once_more(setting: Setting) -> None:
    (bad,) = setting.add(brief("v0", 2))
    assert setting.work().runs == 0
    told = setting.inbox.read_failures(bad)  # after the patience it was tried here again
    assert [failure.host for failure in told] == ["node1", "node1"]
    setting.work("node2")  # twice is enough
    assert setting.inbox.read_failures(bad) == told


@pytest.mark.usefixtures("faulty")
def test_elsewhere_is_at_once(tmp_path: Path, silhouettes: Dataset) -> None:
    setting = Setting(tmp_path, silhouettes, patience=1000)
    (bad,) = setting.add(brief("v0", 1))
    for place in ("node1", "node2"):
        setting.work(place, is_local=True)
    assert [failure.place for failure in setting.inbox.read_failures(bad)] == ["node1", "node2"]


@pytest.mark.usefixtures("faulty")
def test_a_fault_of_the_program_is_told_too(
    setting: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    (name,) = setting.add(brief("v0", 1))
    setting.work(is_local=True)
    (failure,) = setting.inbox.read_failures(name)
    assert failure.message == "v0 failed: KeyError: 'absent'"
    assert "Traceback" in capsys.readouterr().err


def test_an_edited_model_is_refused_and_the_others_go_on(setting: Setting, nets: Path) -> None:
    (bad,) = setting.add(brief(f"{nets}:Normed", 1))
    nets.write_text(NETS.replace("784, 8", "784, 9"))
    setting.add(brief("v0", 1))
    assert setting.work().runs == 1
    assert "has changed since the comparison began" in setting.inbox.read_failures(bad)[0].message


def test_nothing_is_begun_for_which_the_time_does_not_do(setting: Setting) -> None:
    setting.add(brief("v0", 2), seconds=1000)
    assert setting.work(seconds=60).runs == 0
    assert [*(setting.folder / "claims").iterdir()] == []  # left to others
    assert setting.work(seconds=2000).runs == 2


def test_after_a_run_the_next_one_is_begun_only_if_there_is_time(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Heartbeat, "time_left", lambda self: 1e-9)
    setting.plan_folder.write(setting.plan.model_copy(update={"parallel": "serial"}))
    setting.plan = setting.plan_folder.load()
    setting.add(brief("v0", 3))
    assert setting.work().runs == 1
    assert len(setting.records()) == 1


def test_who_lost_the_claim_leaves_the_block(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting.plan_folder.write(setting.plan.model_copy(update={"parallel": "serial"}))
    setting.plan = setting.plan_folder.load()
    save_run, names = Inbox.save_run, setting.add(brief("v0", 3))

    def lose(inbox: Inbox, record: RunRecord) -> None:
        save_run(inbox, record)
        (setting.folder / "claims" / f"{names[0]}.2").touch()
        module.time.sleep(0.2)

    monkeypatch.setattr(Inbox, "save_run", lose)
    shift = setting.work()
    assert shift.runs < 3 or len(setting.records()) == 3


def test_a_plan_that_becomes_another_ends_its_workers(setting: Setting) -> None:
    setting.add(brief("v0", 1))
    setting.plan_folder.write(setting.plan.model_copy(update={"threads": 2}))
    with pytest.raises(UsageError, match="has become another since this worker started"):
        setting.work()


def test_other_data_are_refused_and_end_the_worker(setting: Setting) -> None:
    setting.plan = setting.plan.model_copy(update={"data": {"silhouettes": "0"}})
    setting.plan_folder.write(setting.plan)
    (name,) = setting.add(brief("v0", 1))
    with pytest.raises(DataError, match="not the same here"):
        setting.work()
    assert "not the same here" in setting.inbox.read_failures(name)[0].message


def test_a_full_disk_ends_the_worker_and_leaves_the_block_to_others(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    setting.add(brief("v0", 1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left on device"):
            setting.work()
    assert setting.inbox.failed() == set()
    assert setting.work().runs == 1
