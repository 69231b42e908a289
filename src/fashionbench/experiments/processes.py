"""Jobs in several processes at once, each of which writes its own records."""

import json
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import torch

from fashionbench import errors
from fashionbench.config.study import Job
from fashionbench.experiments.gate import Examination
from fashionbench.store.run_store import RunStore

__all__ = ["run_in_processes", "start_worker"]

Worker = subprocess.Popen[str]


def start_worker() -> Worker:
    """Start a process that runs what it is told on its standard input: see worker.py."""
    return subprocess.Popen(
        [sys.executable, "-m", "fashionbench.experiments.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def run_in_processes(
    jobs: Sequence[Job],
    examined: Examination,
    data_dir: Path | str | None,
    store: RunStore,
    *,
    most: int | None = None,
    start: Callable[[], Worker] = start_worker,
) -> Iterator[str]:
    """Run jobs in at most `most` processes, one a thread by default; yield each key when done.

    `examined` is what is known of the jobs' model: a worker would take a second to find that out.
    A worker is started as a program and told its jobs in JSON: nothing depends on how a
    platform starts processes, and a script without a main guard is not run twice. Raises
    what a worker raised; whatever was finished stays in the store.
    """
    threads = torch.get_num_threads()
    workers = min(len(jobs), most or threads)
    setting = json.dumps(
        {
            "folder": str(store.folder),
            "data_dir": None if data_dir is None else str(data_dir),
            "threads": max(1, threads // workers),
            "path": [entry for entry in sys.path if isinstance(entry, str)],  # as import has it
            "examined": asdict(examined),
        }
    )
    waiting, answers = deque(jobs), SimpleQueue[dict[str, str]]()
    processes = [start() for _ in range(workers)]
    try:
        for process in processes:
            Thread(target=_feed, args=(process, setting, waiting, answers), daemon=True).start()
        for _ in jobs:
            answer = answers.get()
            if "error" in answer:
                raise getattr(errors, answer["error"])(answer["message"])
            yield answer["done"]
    finally:
        # Idle by now, or to be stopped: finished runs are in the store already.
        for process in processes:
            process.kill()
            process.communicate()


def _feed(
    process: Worker, setting: str, waiting: deque[Job], answers: "SimpleQueue[dict[str, str]]"
) -> None:
    """Give a worker one job after another while there are any, and pass its answers on."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(setting + "\n")
        while True:
            process.stdin.write(waiting.popleft().model_dump_json() + "\n")
            process.stdin.flush()
            answers.put(json.loads(process.stdout.readline()))
    except IndexError:  # nothing is waiting
        return
    except (OSError, ValueError):
        message = "A process that ran jobs was ended from outside, or had too little memory."
        answers.put({"error": "FashionbenchError", "message": f"{message} Run the command again."})
