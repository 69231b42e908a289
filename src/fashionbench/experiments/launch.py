"""Run the seeds of one model and recipe: time one alone, then the others together.

Time is measured alone, spread is measured together: a run that shares the machine has no
training time. Which way of running together is taken, and why, is told where bars are shown.
"""

import json
import logging
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Literal

import torch
from torch import nn

from fashionbench import errors
from fashionbench.config.recipe import Recipe
from fashionbench.config.study import Execution, Job
from fashionbench.data.split import Dataset, Split
from fashionbench.experiments.gate import Examination, builder
from fashionbench.experiments.run import run_job, run_together
from fashionbench.models.table import model_entry
from fashionbench.store.run_store import RunStore
from fashionbench.training.many_seeds.group import Strategy
from fashionbench.training.many_seeds.trial import (
    Build,
    can_use_streams,
    measure_speedup,
    members_in_memory,
    why_not_stackable,
)
from fashionbench.training.step import useful_threads

__all__ = ["choose", "run_entry"]

logger = logging.getLogger(__name__)

MOST_TIMED = 3
TIMING_SECONDS = 10
"""A second and third run are timed alone only while those before took less than this."""

Chosen = Literal["stacked", "streams", "processes", "serial"]

GROUP = 32
"""Members at once on a CPU: beyond that a step's numbers outgrow its caches."""
STREAMS = 16
"""Members on streams of CUDA: their kernels fill a device by then."""


def run_entry(
    jobs: Sequence[Job],
    dataset: Dataset,
    data_dir: Path | str | None,
    device: torch.device,
    store: RunStore,
    execution: Execution,
    examined: Examination,
    *,
    timed: int,
    done: Callable[[int], object],
) -> None:
    """Run jobs that differ by their seed alone.

    `data_dir` is where other processes read `dataset` anew, `examined` what is known of the model,
    `timed` how many runs have a training time already, and `done` is told of every number of runs
    that is finished.
    """
    # Once for all runs: a hundred small ones would take longer to send images than to train.
    dataset = dataset.to(device)
    waiting, start = list(jobs), time.perf_counter()
    while waiting and (
        execution.parallel == "serial"
        or timed == 0
        or len(waiting) == 1  # with no other to run together with
        or (timed < MOST_TIMED and time.perf_counter() - start < TIMING_SECONDS)
    ):
        run_job(waiting.pop(0), dataset, device, store, examined)
        timed += 1
        done(1)
    if not waiting:
        return
    build = builder(waiting[0], dataset)
    chosen, reason = choose(build, waiting[0], dataset.train, execution, len(waiting))
    label = model_entry(waiting[0].spec).label
    logger.info("%s: %d seeds %s, %s", label, len(waiting), chosen, reason)
    if chosen in ("stacked", "streams"):
        size = group_size(build, dataset.train, waiting[0].recipe, chosen)
        for first in range(0, len(waiting), size):
            group = waiting[first : first + size]
            done(len(run_together(group, dataset, device, store, examined, strategy=chosen)))
    elif chosen == "processes":
        for _ in run_in_processes(waiting, examined, data_dir, store, execution.jobs):
            done(1)
    else:
        for job in waiting:
            run_job(job, dataset, device, store, examined)
            done(1)


def group_size(build: Build, data: Split, recipe: Recipe, chosen: Chosen) -> int:
    """How many members are trained together at most, on the device that `data` is on."""
    size = members_in_memory(build, data, recipe)
    if chosen == "streams":
        return min(size, STREAMS)
    return min(size, GROUP) if data.images.device.type == "cpu" else size


def choose(
    build: Build, job: Job, data: Split, execution: Execution, seeds: int
) -> tuple[Chosen, str]:
    """The fastest way of running seeds of a model together, or the next to what was asked for.

    Stacking wins where a model is a few small products of matrices. With large ones, which keep a
    device busy as they are, it is tried out. On a CPU convolutions gain nothing from it; on an
    accelerator, where `data` is then, they are tried out too.
    """
    model, device, way = build(0), data.images.device, execution.parallel
    convolutions = any(isinstance(module, nn.modules.conv._ConvNd) for module in model.modules())
    on_cpu = device.type == "cpu"
    if way == "processes":
        reason = "as asked for" if on_cpu else "for processes are for the CPU"
    elif way == "auto" and convolutions and on_cpu:
        reason = "for convolutions gain nothing from stacking on a CPU"
    else:
        trouble = why_not_stackable(build, data, job.recipe)
        large = useful_threads(model, job.recipe) is None
        uncertain = way == "auto" and (large or trouble is not None)
        if trouble is None and not uncertain:
            return "stacked", "one step for all of them"
        ways: list[Strategy] = ["stacked"] if trouble is None else []
        if uncertain and can_use_streams(model, job.recipe, device):
            ways.append("streams")
        if ways:
            best, reason = _fastest(ways, build, data, job.recipe, seeds)
            if best is not None:
                return best, reason
        else:
            reason = f"since they cannot be stacked ({trouble})"
    if not on_cpu:
        return "serial", f"one after another, {reason}"
    if job.model.startswith("__main__:"):
        return "serial", "for a model defined in a script cannot be sent to other processes"
    if (execution.jobs or torch.get_num_threads()) == 1:
        return "serial", f"{reason}, and there may be one process"
    return "processes", reason


def _fastest(
    ways: Sequence[Strategy], build: Build, data: Split, recipe: Recipe, seeds: int
) -> tuple[Strategy | None, str]:
    """That of the ways which gains most in a trial; None if each is slower than one by one."""
    gains = {}
    for chosen in ways:
        members = min(seeds, group_size(build, data, recipe, chosen))
        gains[chosen] = measure_speedup(build, data, recipe, members, strategy=chosen)
    best = max(ways, key=gains.__getitem__)
    told = ", ".join(f"{chosen} {gains[chosen]:.1f} times" for chosen in ways)
    return best if gains[best] > 1 else None, f"for they were {told} as fast as alone"


def run_in_processes(
    jobs: Sequence[Job],
    examined: Examination,
    data_dir: Path | str | None,
    store: RunStore,
    most: int | None = None,
) -> Iterator[str]:
    """Run jobs in at most `most` processes, which write the records; yields each key when done.

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
    processes = [_start_worker() for _ in range(workers)]
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


def _start_worker() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "fashionbench.experiments.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def _feed(
    process: "subprocess.Popen[str]",
    setting: str,
    waiting: deque[Job],
    answers: "SimpleQueue[dict[str, str]]",
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
