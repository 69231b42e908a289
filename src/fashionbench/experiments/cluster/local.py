"""Workers as processes on this machine, which need nothing but it."""

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from fashionbench import errors
from fashionbench.errors import FashionbenchError
from fashionbench.experiments.cluster.claims import Holder
from fashionbench.experiments.cluster.plan import PlanFolder

__all__ = ["LocalWorkers", "start_worker"]

Process = subprocess.Popen[str]

DEATHS = 3
"""So many more than there are workers may die with no run finished in between."""


def start_worker(run_folder: Path, *more: str) -> Process:
    """Start a worker that ends with this process.

    It is started as a program: nothing depends on how a platform starts processes, and a script
    without a main guard is not run twice.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "fashionbench.experiments.cluster.worker", str(run_folder), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


class LocalWorkers:
    """So many processes, each replaced when it ends before the work does.

    While runs are to be timed there is one, which has the machine to itself.
    """

    poll = 0.1
    """Seconds between two looks into the inbox."""

    def __init__(
        self,
        run_folder: Path,
        count: int,
        start: Callable[..., Process] = start_worker,
    ) -> None:
        self.folder, self._plan = run_folder, PlanFolder(run_folder)
        self.count = count
        self._start = start
        self._processes: list[Process] = []
        self._deaths = 0

    def start(self) -> None:
        """Start the workers."""
        timed = bool(self._plan.names(timed=True))
        more = ["--timed"] if timed else []
        while len(self._processes) < (1 if timed else self.count):
            self._processes.append(self._start(self.folder, *more))

    def look_after(self, *, progressed: bool) -> list[Holder]:
        """Start a worker for each that has ended; return which those were.

        Raises what a worker could not go on for, and FashionbenchError where they die again and
        again.
        """
        self._deaths = 0 if progressed else self._deaths
        gone = [process for process in self._processes if process.poll() is not None]
        for process in gone:
            self._processes.remove(process)
            answer, _ = process.communicate()
            if answer:
                told = json.loads(answer)
                raise getattr(errors, told["error"])(told["message"])
            self._deaths += process.returncode != 0
            if self._deaths >= self.count + DEATHS:
                raise FashionbenchError(
                    "Processes that ran jobs were ended from outside, or had too little memory. "
                    "Run the command again, with fewer of them."
                )
        self.start()
        return [Holder(platform.node(), process.pid) for process in gone]

    def stop(self, *, finished: bool) -> None:  # noqa: ARG002 - either way
        """End the workers: idle by now, or to be stopped."""
        for process in self._processes:
            process.kill()
            process.communicate()
