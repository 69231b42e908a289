"""Workers as tasks of Ray: one a block, which brings its runs back as bytes.

No folder need be shared. The task works in a folder of its own as any worker does, and the driver
puts what it returns into the inbox. Ray reuses its processes, and a task would train on as many
threads as the one before it there: the worker sets the plan's number itself.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fashionbench.core.files import write_atomically
from fashionbench.errors import FashionbenchError, MissingPackage
from fashionbench.experiments.cluster.claims import Holder
from fashionbench.experiments.cluster.inbox import MOST_TRIALS, Failure, Inbox
from fashionbench.experiments.cluster.plan import Block, Plan, PlanFolder
from fashionbench.experiments.cluster.worker import work

__all__ = ["RayWorkers", "train_block"]

RETRIES = 3
"""How often Ray begins a task again whose process or node has died."""


def train_block(plan: str, block: str) -> dict[str, Any]:
    """Train a block, both given as JSON; return its files by their paths, and what went wrong.

    Nothing is raised, since Ray would take it for a crash and begin again.
    """
    folder, here = Path(tempfile.mkdtemp(prefix="fashionbench-")), Path.cwd()
    plan_folder, asked = PlanFolder(folder), Block.model_validate_json(block)
    failures: list[dict[str, Any]] = []
    try:
        plan_folder.write(Plan.model_validate_json(plan))
        plan_folder.add(asked)
        work(folder, once=True)
    except FashionbenchError as error:
        host = os.uname().nodename
        failures = [asdict(Failure(host, host, type(error).__name__, str(error)))]
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
    return {"files": files, "failures": failures}


class RayWorkers:
    """A task for each block that is open, begun again by Ray where its node dies."""

    poll = 0.5
    """Seconds between two looks at the tasks."""

    def __init__(self, run_folder: Path, address: str | None) -> None:
        self.folder, self.inbox = PlanFolder(run_folder), Inbox(run_folder)
        self.address = address
        self._tasks: dict[Any, str] = {}
        """The blocks by the references of their tasks."""

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
        options = {
            "num_cpus": plan.threads,
            "num_gpus": int(plan.device == "cuda"),
            "max_retries": RETRIES,
        }
        self._send = _sender(ray, plan, options)
        for name in self.folder.names():
            self._begin(name)

    def look_after(self, *, progressed: bool) -> list[Holder]:  # noqa: ARG002 - Ray retries
        """Put what has come back into the inbox; what failed is tried once more."""
        ray = _import_ray()
        ready, _ = ray.wait([*self._tasks], num_returns=len(self._tasks), timeout=0)
        for task in ready:
            name = self._tasks.pop(task)
            try:
                answer = ray.get(task)
            except ray.exceptions.RayError as error:
                message = f"Ray ended the task: {' '.join(str(error).split())}"
                answer = {"files": {}, "failures": [_failure_of_ray(message)]}
            self._take(name, answer)
        return []

    def stop(self, *, finished: bool) -> None:  # noqa: ARG002 - either way
        """Cancel what still runs, and leave the cluster."""
        ray = _import_ray()
        for task in self._tasks:
            ray.cancel(task, force=True)
        self._tasks = {}
        if ray.is_initialized():
            ray.shutdown()

    def _begin(self, name: str) -> None:
        if block := self.folder.load_block(name):
            self._tasks[self._send(block.model_dump_json(exclude_defaults=True))] = name

    def _take(self, name: str, answer: dict[str, Any]) -> None:
        """Write the files of a task, the runs after their weights."""
        for path in sorted(answer["files"], key=lambda path: path.endswith(".run")):
            write_atomically(self.inbox.folder / path, answer["files"][path])
        for failure in answer["failures"]:
            self.inbox.fail(name, Failure(**failure))
        if answer["failures"] and len(self.inbox.read_failures(name)) < MOST_TRIALS:
            self._begin(name)


def _sender(ray: Any, plan: Plan, options: dict[str, Any]) -> Callable[[str], Any]:
    task = ray.remote(train_block).options(**options)
    text = plan.model_dump_json(exclude_defaults=True)
    return lambda block: task.remote(text, block)


def _failure_of_ray(message: str) -> dict[str, Any]:
    return asdict(Failure("", "", "FashionbenchError", message))


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise MissingPackage("--on ray", "ray", "ray") from None
    return ray
