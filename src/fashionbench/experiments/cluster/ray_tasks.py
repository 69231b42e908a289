"""Workers as tasks of Ray: one a block, which brings its runs back as bytes.

No folder need be shared. The task works in a folder of its own as any worker does, and the driver
puts what it returns into the inbox. Ray reuses its processes, and a task would train on as many
threads as the one before it there: the worker sets the plan's number itself.
"""

import logging
import os
import platform
import random
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fashionbench.core.files import write_atomically
from fashionbench.errors import FashionbenchError, MissingPackage
from fashionbench.experiments.cluster.claims import Holder
from fashionbench.experiments.cluster.inbox import Failure, Inbox, is_given_up
from fashionbench.experiments.cluster.plan import Block, Plan, PlanFolder
from fashionbench.experiments.cluster.worker import work

__all__ = ["RayWorkers", "train_block"]

logger = logging.getLogger(__name__)

RETRIES = 3
"""How often Ray begins a task again whose process or node has died."""


def train_block(plan: str, block: str, *, timed: bool) -> dict[str, Any]:
    """Train a block, both given as JSON; return its files by their paths, and what went wrong.

    Nothing is raised, since Ray would take it for a crash and begin again.
    """
    folder, here = Path(tempfile.mkdtemp(prefix="fashionbench-")), Path.cwd()
    plan_folder, asked = PlanFolder(folder), Block.model_validate_json(block)
    failures: list[dict[str, Any]] = []
    try:
        plan_folder.write(Plan.model_validate_json(plan))
        plan_folder.add(asked, timed=timed)
        work(folder, timed=timed, once=True)
    except FashionbenchError as error:  # this machine is at fault, another may do
        failures = [_failure(platform.node(), str(error))]
    finally:
        os.chdir(here)
    inbox = Inbox(folder)
    failures = [asdict(each) for each in inbox.read_failures(asked.name)] or failures
    files = {
        path.relative_to(inbox.folder).as_posix(): path.read_bytes()
        for path in inbox.folder.rglob("*")
        if path.suffix in (".run", ".json", ".safetensors")
    }
    shutil.rmtree(folder)
    return {"files": files, "failures": failures, "node": _this_node()}


def _failure(host: str, message: str) -> dict[str, Any]:
    return asdict(Failure(host, host, "FashionbenchError", message))


def _this_node() -> str:
    """Return which node of Ray's this is; empty outside of a task."""
    ray = sys.modules.get("ray")
    return ray.get_runtime_context().get_node_id() if ray and ray.is_initialized() else ""


class RayWorkers:
    """A task for each block that is open, begun again by Ray where its node dies."""

    poll = 0.5
    """Seconds between two looks at the tasks."""

    def __init__(self, run_folder: Path, address: str | None) -> None:
        self.folder, self.inbox = PlanFolder(run_folder), Inbox(run_folder)
        self.address = address
        self._tasks: dict[Any, tuple[str, bool]] = {}
        """By the references of tasks: their blocks, and whether these are timed."""

    def start(self) -> None:
        """Connect to the cluster, or start one here, and give it all blocks."""
        ray = _import_ray()
        if not ray.is_initialized():
            ray.init(
                address=self.address,
                log_to_driver=False,
                logging_level="ERROR",
                include_dashboard=None if self.address else False,
            )
        plan = self.folder.load()
        self._plan = plan.model_dump_json()
        self._task, self._gpus = ray.remote(train_block), int(plan.device == "cuda")
        whole = max((_cpus(node) for node in self._nodes()), default=0)
        self._cpus = {True: whole, False: plan.threads}
        if whole < plan.threads and self.folder.names(timed=True):
            logger.warning("No run is timed, since Ray has no node yet that a task could fill.")
            self.folder.stop_timing()
        for timed in (True, False):  # a whole node is hard to get once others are at work
            for name in self.folder.names(timed=timed):
                self._begin(name, timed=timed)

    def look_after(self, *, progressed: bool) -> list[Holder]:  # noqa: ARG002 - Ray retries
        """Put what has come back into the inbox; what failed is tried once more."""
        ray = _import_ray()
        ready, _ = ray.wait([*self._tasks], num_returns=len(self._tasks), timeout=0)
        for reference in ready:
            name, timed = self._tasks.pop(reference)
            try:
                answer = ray.get(reference)
            except ray.exceptions.RayError as error:
                message = f"Ray ended the task: {' '.join(str(error).split())}"
                answer = {"files": {}, "failures": [_failure("", message)], "node": ""}
            self._take(name, answer, timed=timed)
        return []

    def stop(self, *, finished: bool) -> None:  # noqa: ARG002 - either way
        """Cancel what still runs, and leave the cluster."""
        ray = _import_ray()
        for reference in self._tasks:
            ray.cancel(reference, force=True)
        self._tasks = {}
        if ray.is_initialized():
            ray.shutdown()

    def _begin(self, name: str, *, timed: bool, failed_on: str = "") -> None:
        """Give a block to a node: all of it where runs are timed, another than where it failed."""
        block = self.folder.load_block(name)
        if block is None:
            return
        cpus = self._cpus[timed]
        options = {"num_cpus": cpus, "num_gpus": self._gpus, "max_retries": RETRIES}
        able = [node["NodeID"] for node in self._nodes() if _cpus(node) >= cpus]
        if failed_on and (others := [node for node in able if node != failed_on]):
            affinity = _import_ray().util.scheduling_strategies.NodeAffinitySchedulingStrategy
            options["scheduling_strategy"] = affinity(random.choice(others), soft=True)
        text = block.model_dump_json(exclude_defaults=True)
        reference = self._task.options(**options).remote(self._plan, text, timed=timed)
        self._tasks[reference] = name, timed

    def _nodes(self) -> list[dict[str, Any]]:
        """List the nodes that have the device."""
        nodes = [node for node in _import_ray().nodes() if node["Alive"]]
        return [node for node in nodes if node["Resources"].get("GPU", 0) >= self._gpus]

    def _take(self, name: str, answer: dict[str, Any], *, timed: bool) -> None:
        """Write the files of a task, the runs after their weights; give it again if it failed."""
        for path in sorted(answer["files"], key=lambda path: path.endswith(".run")):
            write_atomically(self.inbox.folder / path, answer["files"][path])
        for failure in answer["failures"]:
            self.inbox.fail(name, Failure(**failure))
        if answer["failures"] and not is_given_up(self.inbox.read_failures(name)):
            self._begin(name, timed=timed, failed_on=answer["node"])


def _cpus(node: dict[str, Any]) -> int:
    return int(node["Resources"].get("CPU", 0))


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise MissingPackage("--on ray", "ray", "ray") from None
    return ray
