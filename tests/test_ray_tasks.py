"""Workers as tasks of Ray: by a stand-in, and by a cluster of two nodes where Ray is installed."""

import importlib.util
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from factories import CPU, jobs, plan_here

from fashionbench.data.split import Dataset
from fashionbench.errors import MissingPackage
from fashionbench.experiments.cluster import ray_tasks
from fashionbench.experiments.cluster.driver import Driver
from fashionbench.experiments.cluster.elsewhere import Part, Site, run_elsewhere
from fashionbench.experiments.cluster.plan import Block, split_evenly
from fashionbench.experiments.cluster.ray_tasks import RayWorkers, train_block
from fashionbench.experiments.gate import Examination
from fashionbench.experiments.planning import plan
from fashionbench.experiments.run import run_job
from fashionbench.models.checkpoint import checkpoint_path, load_model
from fashionbench.store.run_store import RunStore

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install '.[ray]'"
)


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackage, match=r"--on ray needs ray.*pip install .\.\[ray\]"):
        RayWorkers(tmp_path, None).start()


def test_a_task_returns_its_runs_and_leaves_nothing(tmp_path: Path) -> None:
    asked, here = jobs("v0", 2), Path.cwd()
    block = Block(jobs=asked)
    answer = train_block(plan_here().model_dump_json(), block.model_dump_json(), timed=False)
    assert Path.cwd() == here
    assert answer["failures"] == []
    names = sorted(Path(path).suffix for path in answer["files"])
    assert names == [".json"] * 2 + [".run"] * 2 + [".safetensors"] * 2


def test_a_task_that_cannot_be_done_says_so_and_raises_nothing() -> None:
    block = Block(jobs=jobs("v0", 1))
    other = plan_here().model_copy(update={"torch": "1.0"})
    answer = train_block(other.model_dump_json(), block.model_dump_json(), timed=False)
    ((failure,), files) = answer["failures"], answer["files"]
    assert (failure["kind"], files) == ("FashionbenchError", {})  # another node may do
    assert "The plan is for torch 1.0" in failure["message"]


class FakeRay:
    """Stands in for Ray: its tasks are done when they are asked for."""

    class exceptions:  # noqa: N801 - Ray's name
        class RayError(Exception):
            pass

    def __init__(self, *lost: int, cpus: tuple[int, ...] = (2, 4)) -> None:
        self.lost, self.given = lost, dict[int, Any]()
        self.options: list[dict[str, Any]] = []
        """Of all tasks that were sent."""
        self.cpus = cpus
        strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: node)
        self.util = SimpleNamespace(scheduling_strategies=strategies)

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": f"node{number}", "Alive": True, "Resources": {"CPU": float(cpus)}}
            for number, cpus in enumerate(self.cpus)
        ]

    def is_initialized(self) -> bool:
        return True

    def remote(self, function: Any) -> "FakeRay":
        self.function = function
        outer = self

        class Task:
            def options(self, **options: Any) -> "Task":
                outer.options.append(options)
                return self

            def remote(self, *arguments: str, timed: bool) -> int:
                number = len(outer.options)
                outer.given[number] = partial(outer.function, *arguments, timed=timed)
                return number

        return Task()  # type: ignore[return-value]

    def wait(self, tasks: list[int], num_returns: int, timeout: float) -> tuple[list[int], list]:
        return tasks[:1], tasks[1:]

    def get(self, task: int) -> Any:
        if task in self.lost:
            raise self.exceptions.RayError("the node\ndied")
        return self.given[task]()

    def cancel(self, task: int, force: bool) -> None:
        self.lost = (*self.lost, task)

    def shutdown(self) -> None:
        self.given.clear()


def drive(
    folder: Path,
    ray: FakeRay,
    blocks: list[Block],
    monkeypatch: pytest.MonkeyPatch,
    timed: Sequence[Block] = (),
) -> tuple[int, list[str]]:
    """Return how many runs have come, and what others failed of."""
    monkeypatch.setattr(ray_tasks, "_import_ray", lambda: ray)
    store, counts = RunStore(folder, create=True), list[int]()
    driver = Driver(store, plan_here().model_copy(update={"on": "ray"}))
    driver.add(timed, timed=True)
    driver.add(blocks)
    lost = driver.run(RayWorkers(folder, None), counts.append)
    return sum(counts), [str(error) for error in lost.values()]


def test_what_tasks_bring_back_comes_into_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ray = jobs("v0", 4), FakeRay(2)  # the second task is lost once
    blocks = [Block(jobs=part) for part in split_evenly(asked, 2)]
    assert drive(tmp_path, ray, blocks, monkeypatch) == (4, [])
    assert ray.options == [{"num_cpus": 1, "num_gpus": 0, "max_retries": ray_tasks.RETRIES}] * 3
    for job in asked:
        assert RunStore(tmp_path).has_run(job, "cpu")
        assert load_model(checkpoint_path(tmp_path, job)) is not None


@pytest.mark.parametrize(("cpus", "whole"), [((2, 4), 4), ((0,), None)])
def test_a_timed_block_takes_the_largest_node_whole_if_there_is_one(
    cpus: tuple[int, ...], whole: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray, (first, *others) = FakeRay(cpus=cpus), jobs("v0", 3)
    timed, rest = Block(jobs=(first,)), Block(jobs=tuple(others))
    assert drive(tmp_path, ray, [rest], monkeypatch, [timed]) == (3, [])
    assert [each["num_cpus"] for each in ray.options] == [whole or 1, 1]
    found = RunStore(tmp_path).load_run(first, "cpu")
    assert found is not None
    assert (found.train_seconds is None) == (whole is None)


def test_what_failed_goes_to_another_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: str, timed: bool) -> dict[str, Any]:
        if len(ray.options) == 2:
            return train_block(*given, timed=timed)
        failure = {"host": "here", "place": "here", "kind": "DataError", "message": "no luck"}
        return {"files": {}, "failures": [failure], "node": "node0"}

    ray = FakeRay()
    monkeypatch.setattr(ray_tasks, "train_block", fail)
    assert drive(tmp_path, ray, [Block(jobs=jobs("v0", 1))], monkeypatch) == (1, [])
    assert [each.get("scheduling_strategy") for each in ray.options] == [None, "node1"]


def test_a_block_that_is_lost_twice_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [Block(jobs=part) for part in split_evenly(jobs("v0", 2), 1)]
    came, lost = drive(tmp_path, FakeRay(1, 3), blocks, monkeypatch)
    assert (came, lost) == (1, ["Ray ended the task: the node died"])
    assert len(RunStore(tmp_path).list_runs()) == 1


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_itself_gives_all_runs_though_a_node_is_lost(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    store, counts = RunStore(tmp_path, create=True), list[int]()
    asked = next(plan(["v2"], ["default"], 6, dataset="silhouettes", epochs=2).entries())

    def lose() -> None:
        while not counts or sum(counts) < 1:
            time.sleep(0.1)
        cluster.remove_node(node, allow_graceful=False)

    killer = threading.Thread(target=lose, daemon=True)
    killer.start()
    site = Site(f"ray:{cluster.address}", silhouettes, None, "cpu", "auto", "")
    try:
        run_elsewhere([Part(asked, Examination())], site, store, counts.append)
    finally:
        killer.join(timeout=60)
        ray.shutdown()
        cluster.shutdown()
    assert sum(counts) == 6
    alone = RunStore(tmp_path / "alone", create=True)
    for job in asked:
        there, here = store.load_run(job), run_job(job, silhouettes, CPU, alone)
        assert there is not None
        assert there.scores == here.scores
        assert there.environment.threads == 1
        if job.seed in (0, 5):  # of a slow model one is timed, of a quick one three
            assert (there.train_seconds is None) == (job.seed == 5)
