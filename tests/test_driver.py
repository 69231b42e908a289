"""The driver: whatever dies, all runs come in, once each."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from factories import jobs, make_record, some_plan

from fashionbench.config.study import Job
from fashionbench.errors import DataError, UsageError
from fashionbench.experiments.cluster.claims import MOST_CLAIMS, Claims, Holder
from fashionbench.experiments.cluster.driver import Driver
from fashionbench.experiments.cluster.inbox import Failure, Inbox
from fashionbench.experiments.cluster.plan import Block, PlanFolder, split_evenly
from fashionbench.store.packed import PackedRun, RunFile
from fashionbench.store.run_store import RunStore

PATIENCE = 1000.0


class Acting:
    """A launcher whose workers are played by a function, called at each look."""

    poll = 0.0

    def __init__(self, act: Callable[[int], list[Holder] | None]) -> None:
        self.act, self.looks, self.stopped = act, 0, False

    def start(self) -> None:
        pass

    def look_after(self, *, progressed: bool) -> list[Holder]:
        self.looks += 1
        assert self.looks < 100
        return self.act(self.looks) or []

    def stop(self, *, finished: bool) -> None:
        self.stopped = True


class Stage:
    """A run folder, its driver, and a worker that acts by hand."""

    def __init__(self, folder: Path, on: str = "") -> None:
        self.store = RunStore(folder, create=True)
        self.folder = folder
        self.plan = some_plan(patience=PATIENCE, device="cpu", on=on)
        self.plan_folder, self.inbox = PlanFolder(folder), Inbox(folder)
        self.done: list[int] = []

    def drive(self, blocks: Sequence[Block], act: Callable[[int], list[Holder] | None]) -> Acting:
        driver, engine = Driver(self.store, self.plan), Acting(act)
        wanted = [job for block in blocks for job in block.jobs]
        kept = driver.keep(wanted)
        driver.add(block for block in blocks if not any(job.key in kept for job in block.jobs))
        try:
            self.lost = driver.run(engine, self.done.append)
        finally:
            assert engine.stopped
        return engine

    def put(self, job: Job) -> None:
        RunFile(PackedRun.pack(make_record(job)), None).write(self.inbox.folder)

    def claims(self, pid: int = 1, host: str = "node1") -> Claims:
        return Claims(self.folder, PATIENCE, Holder(host, pid))


def blocks_of(count: int, size: int) -> list[Block]:
    return [Block(jobs=part) for part in split_evenly(jobs("v0", count), size)]


def test_what_comes_is_counted_and_nothing_is_left_behind(tmp_path: Path) -> None:
    stage, asked = Stage(tmp_path), jobs("v0", 5)
    stage.drive(blocks_of(5, 2), lambda look: stage.put(asked[look - 1]))
    assert sum(stage.done) == 5
    assert all(stage.store.has_run(job, "cpu") for job in asked)
    assert [path.name for path in tmp_path.iterdir()] == ["store.sqlite"]


def test_the_plan_of_a_cluster_stays_for_workers_that_come_late(tmp_path: Path) -> None:
    stage = Stage(tmp_path, on="workers:2")
    stage.drive(blocks_of(1, 1), lambda look: stage.put(*jobs("v0", 1)))
    assert stage.plan_folder.load() == stage.plan
    assert stage.plan_folder.names() == []


def test_a_driver_that_dies_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    stage, asked, blocks = Stage(tmp_path, on="workers:2"), jobs("v0", 4), blocks_of(4, 2)

    def act(look: int) -> None:
        if look == 1:
            stage.claims().take([blocks[0].name])
            stage.put(asked[0])
            stage.put(asked[1])
        else:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.drive(blocks, act)
    assert stage.plan_folder.names() == [blocks[1].name]
    stage.claims().take([blocks[1].name])
    stage.put(asked[2])  # while there was no driver
    stage.drive(blocks, lambda look: stage.put(asked[3]))
    assert sum(stage.done) == 4
    assert {key for key, _ in stage.store.list_runs()} == {job.key for job in asked}


def test_blocks_that_nobody_wants_any_more_go_and_what_came_of_them_stays(tmp_path: Path) -> None:
    stage, (first, *others) = Stage(tmp_path), jobs("v0", 3)
    stage.plan_folder.add(Block(jobs=(first, others[0])))
    stage.put(first)
    stage.drive([Block(jobs=tuple(others))], lambda look: [stage.put(job) for job in others] and [])
    assert {key for key, _ in stage.store.list_runs()} == {job.key for job in (first, *others)}


def test_a_run_that_comes_twice_is_one(tmp_path: Path) -> None:
    stage, asked = Stage(tmp_path), jobs("v0", 2)

    def act(look: int) -> None:
        stage.put(asked[0])  # by one whose claim was lost, again and again
        if look > 3:
            stage.put(asked[1])

    stage.drive(blocks_of(2, 1), act)
    assert sum(stage.done) == 2
    assert len(stage.store.list_runs()) == 2
    assert not (tmp_path / "inbox").exists()


def test_half_a_file_opens_its_block_again(tmp_path: Path) -> None:
    stage, (job,) = Stage(tmp_path), jobs("v0", 1)
    (block,) = blocks_of(1, 1)
    path = stage.inbox.folder / f"{job.key}-cpu.run"

    def act(look: int) -> None:
        claim = stage.claims().take([block.name])
        if look == 1:
            assert claim is not None
            stage.put(job)
            path.write_bytes(path.read_bytes()[:100])
            claim.finish()
        elif claim is not None:
            stage.put(job)
            claim.finish()

    stage.drive([block], act)
    assert stage.store.has_run(job, "cpu")


def test_a_block_that_fails_twice_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    stage, asked, blocks = Stage(tmp_path, on="slurm:2"), jobs("v0", 3), blocks_of(3, 1)
    bad = blocks[0].name

    def act(look: int) -> None:
        if look < 3:
            failure = Failure(f"node{look}", f"node{look}", "DataError", f"no luck {look}")
            stage.inbox.fail(bad, failure)
        elif look > 5:
            stage.put(asked[look - 5])

    stage.drive(blocks, act)
    ((key, error),) = stage.lost.items()
    assert key == asked[0].key
    assert isinstance(error, DataError)
    assert str(error) == "no luck 2 (on node2)."
    assert sum(stage.done) == 2
    stage.drive(blocks[:1], lambda look: stage.put(asked[0]))  # the same command tries it again
    assert sum(stage.done) == 3


def test_what_was_asked_is_at_fault_and_not_tried_again(tmp_path: Path) -> None:
    stage, blocks = Stage(tmp_path, on="slurm:2"), blocks_of(3, 1)
    faults = ["a model's fault", "a model's fault", "another's"]

    def act(look: int) -> None:
        assert look == 1
        for block, fault in zip(blocks, faults, strict=True):
            stage.inbox.fail(block.name, Failure("node1", "node1", "UsageError", fault))

    stage.drive(blocks, act)
    assert {type(error) for error in stage.lost.values()} == {UsageError}
    told = sorted(str(error) for error in stage.lost.values())
    assert told == [f"{fault} (on node1)." for fault in faults]


def test_a_block_that_fails_once_is_no_failure(tmp_path: Path) -> None:
    stage, (block,) = Stage(tmp_path), blocks_of(1, 1)

    def act(look: int) -> None:
        if look == 1:
            stage.inbox.fail(block.name, Failure("node1", "node1", "DataError", "no luck"))
        else:
            stage.put(*jobs("v0", 1))

    stage.drive([block], act)
    assert not (tmp_path / "inbox").exists()


def test_a_block_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    stage, (block,) = Stage(tmp_path), blocks_of(1, 1)

    def act(look: int) -> None:
        claim = stage.claims(look).take([block.name])
        assert (claim is None) == (look > MOST_CLAIMS)
        if claim:
            os.utime(claim.path, (0, 0))

    stage.drive([block], act)
    (error,) = stage.lost.values()
    assert "ended without a word while they trained" in str(error)


def test_what_workers_that_are_gone_have_held_is_free_at_once(tmp_path: Path) -> None:
    stage, (block,) = Stage(tmp_path), blocks_of(1, 1)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = stage.claims(process.pid, platform.node())
    assert dead.take([block.name]) is not None  # in the life of the driver before

    def act(look: int) -> list[Holder]:
        claim = stage.claims(look).take([block.name])
        assert claim is not None
        if look < 3:
            return [Holder("node1", look)]
        stage.put(*jobs("v0", 1))
        return []

    stage.plan_folder.add(block)
    stage.drive([block], act)
    assert len(stage.store.list_runs()) == 1
