"""A worker: a process that trains blocks of a run folder's plan, and never opens its store.

It reads the plan before torch is imported, since torch reads once how many threads it may use.
As a program of its own it belongs to a driver on this machine: `python -m` this module.
"""

import json
import logging
import os
import platform
import signal
import sys
import time
from pathlib import Path
from threading import Thread

from fashionbench.errors import FashionbenchError
from fashionbench.experiments.cluster.claims import Claims, Holder
from fashionbench.experiments.cluster.heartbeat import Heartbeat
from fashionbench.experiments.cluster.plan import Plan, PlanFolder

__all__ = ["main", "work"]

logger = logging.getLogger(__name__)

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_JOB = ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID", "PBS_JOBID", "JOB_ID")
"""Where schedulers tell a job its number."""


def work(
    run_folder: Path,
    minutes: float | None = None,
    *,
    timed: bool = False,
    is_local: bool = False,
    once: bool = False,
) -> int:
    """Train blocks of the plan in a run folder until nothing is left; return the number of runs.

    With `minutes` it ends before they are over, counted from the call. SIGTERM drops the run in
    hand, and SIGUSR1 leaves it a minute. `timed` says that the machine does nothing else: it takes
    the blocks that are timed, and only these. With `once` it takes one block, and signals are left
    to whoever called. `is_local` says that a driver on this machine ends it and starts others.
    Raises StoreError, UsageError or DataError where this machine cannot do the plan's work.
    """
    began, run_folder = time.monotonic(), run_folder.resolve()
    plan = PlanFolder(run_folder).load()
    _prepare(plan, is_local)
    # Only now: torch reads when it is imported how many threads it may use.
    import torch

    from fashionbench.experiments.cluster.conditions import refuse_other_program
    from fashionbench.experiments.cluster.shift import Shift

    torch.set_num_threads(plan.threads)  # where it was imported before, as in a worker of Ray's
    refuse_other_program(plan)
    host = platform.node()
    holder = Holder(host, os.getpid(), _job())
    claims = Claims(run_folder, plan.patience, holder)
    deadline = None if minutes is None else began + 60 * minutes
    with Heartbeat(plan.patience, deadline, signals=not once) as heartbeat:
        place = f"{host} {os.getpid()}" if is_local else host
        shift = Shift(run_folder, plan, claims, heartbeat, place, is_local, timed)
        try:
            shift.work_once() if once else shift.work()
        finally:
            claims.close()
    return shift.runs


def _job() -> str:
    """Return the number that a scheduler gave to this job; empty where there is none."""
    return next((os.environ[name] for name in _JOB if name in os.environ), "")


def _prepare(plan: Plan, is_local: bool) -> None:
    """Set the number of threads, and find a person's own code as where the plan was made."""
    for name in _THREADS:
        os.environ[name] = str(plan.threads)
    if Path(plan.folder).is_dir():
        os.chdir(plan.folder)
    if is_local:
        sys.path[:] = plan.path
    else:
        sys.path += [entry for entry in plan.path if entry not in sys.path]


def main() -> None:
    """Work for the driver that started this process, and end with it.

    Standard output gets one line of JSON if the worker cannot go on, with the error's class and
    message. Standard input is a pipe that ends with the driver.
    """
    # Ctrl-C reaches every process of a terminal; the one that started this decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Bars of several processes would be drawn over each other.
    os.environ["TQDM_DISABLE"] = "1"
    # Whatever a person's model prints must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    Thread(target=_end_with_the_driver, daemon=True).start()
    try:
        work(Path(sys.argv[1]), timed=sys.argv[2:] == ["--timed"], is_local=True)
    except FashionbenchError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer), file=answers, flush=True)
        sys.exit(error.exit_code)


def _end_with_the_driver() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
