"""The plan and its blocks on disk."""

import json
from pathlib import Path

import pytest
from factories import jobs, some_plan

from fashionbench.config.study import PROTOCOL
from fashionbench.errors import StoreError
from fashionbench.experiments.cluster.plan import FORMAT, Block, Plan, PlanFolder, split_evenly


def test_plan_and_blocks_come_back_as_they_were_written(tmp_path: Path) -> None:
    folder, plan = PlanFolder(tmp_path), some_plan(threads=3, patience=7)
    blocks = [
        Block(jobs=part, examined={"flops": 5}, seconds=2)
        for part in split_evenly(jobs("v0", 5), 2)
    ]
    folder.write(plan)
    for block in blocks:
        folder.add(block)
    assert folder.load() == plan
    assert folder.names() == sorted(block.name for block in blocks)
    assert [folder.load_block(block.name) for block in blocks] == blocks
    folder.remove(blocks[0].name)
    assert folder.load_block(blocks[0].name) is None


def test_a_block_of_the_same_jobs_has_the_same_name_and_another_another() -> None:
    first, again, other = (Block(jobs=jobs("v0", seeds)) for seeds in (2, 2, 3))
    assert first.name == again.name != other.name


def test_blocks_that_are_timed_are_apart_until_nothing_can_be_timed(tmp_path: Path) -> None:
    folder = PlanFolder(tmp_path)
    timed, other = (Block(jobs=jobs("v0", seeds)) for seeds in (2, 3))
    folder.add(timed, timed=True)
    folder.add(other)
    assert (folder.names(timed=True), folder.names(timed=False)) == ([timed.name], [other.name])
    assert folder.names() == sorted([timed.name, other.name])
    folder.stop_timing()
    assert (folder.names(timed=True), len(folder.names(timed=False))) == ([], 2)
    assert folder.load_block(timed.name) == timed
    folder.remove(timed.name)
    assert folder.names() == [other.name]


def test_a_reader_with_other_defaults_sees_what_was_meant(tmp_path: Path) -> None:
    folder, block = PlanFolder(tmp_path), Block(jobs=jobs("v0", 1))
    folder.write(some_plan())
    folder.add(block)
    written = json.loads(folder.path.read_text())
    assert written.keys() == Plan.model_fields.keys()
    assert (written["format"], written["protocol"]) == (FORMAT, PROTOCOL)
    path = folder.blocks / f"{block.name}.json"
    assert json.loads(path.read_text())["format"] == FORMAT


def test_what_is_asked_may_change_while_workers_are_at_work_and_conditions_may_not() -> None:
    plan = some_plan()
    asked = {"on": "workers:4", "command": "fashionbench compare --on workers:4"}
    assert plan.conditions == plan.model_copy(update=asked).conditions
    assert plan.conditions != plan.model_copy(update={"threads": 2}).conditions


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "newer fashionbench .format 2, this one reads up to 1.; update"),
        ({"threads": 0}, "threads is 0"),
        ({"colour": 1}, "no setting 'colour'"),
    ],
)
def test_a_plan_that_is_none_of_ours_is_told(change: dict, told: str, tmp_path: Path) -> None:
    folder = PlanFolder(tmp_path)
    folder.write(some_plan())
    folder.path.write_text(json.dumps(json.loads(folder.path.read_text()) | change))
    with pytest.raises(StoreError, match=told):
        folder.load()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3"])
def test_half_a_plan_is_told_as_damaged(content: str, tmp_path: Path) -> None:
    folder = PlanFolder(tmp_path)
    folder.write(some_plan())
    folder.path.write_text(content)
    with pytest.raises(StoreError, match=r"is damaged: .* Give the command that planned it again"):
        folder.load()


def test_a_folder_without_a_plan_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no plan in"):
        PlanFolder(tmp_path).load()


def test_a_finished_plan_is_removed_whole(tmp_path: Path) -> None:
    folder, block = PlanFolder(tmp_path), Block(jobs=jobs("v0", 1))
    folder.write(some_plan())
    folder.add(block)
    folder.clear()
    assert folder.load_block(block.name) == block  # not finished
    folder.remove(block.name)
    folder.clear()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(("count", "size"), [(1, 1), (5, 2), (64, 64), (65, 64), (100, 7)])
def test_parts_hold_all_in_order_and_hardly_differ_in_size(count: int, size: int) -> None:
    parts = split_evenly(jobs("v0", count), size)
    assert [job for part in parts for job in part] == [*jobs("v0", count)]
    sizes = [len(part) for part in parts]
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1
