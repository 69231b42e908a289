"""A comparison's missing runs, planned as blocks and trained by workers, wherever these are."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from fashionbench.config.execution import Parallel
from fashionbench.config.launcher import read_launcher
from fashionbench.config.recipe import own_parts
from fashionbench.config.study import Device, Job
from fashionbench.data.split import Dataset, deal_anew, hold_out
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.experiments.cluster.conditions import digest_data, make_plan
from fashionbench.experiments.cluster.driver import Driver, Launcher
from fashionbench.experiments.cluster.local import LocalWorkers
from fashionbench.experiments.cluster.plan import Block, PlanFolder, data_name, split_evenly
from fashionbench.experiments.cluster.ray_tasks import RayWorkers
from fashionbench.experiments.cluster.slurm import SlurmWorkers, write_script
from fashionbench.experiments.gate import Examination, builder
from fashionbench.experiments.strategy import MOST_TIMED, is_to_be_timed
from fashionbench.store.run_store import RunStore
from fashionbench.training.batches import count_steps
from fashionbench.training.devices import threads_at_most
from fashionbench.training.step import WARM_UP_STEPS, warm_up

__all__ = [
    "Part",
    "Site",
    "block_size",
    "count_timed",
    "estimate_seconds",
    "is_begun",
    "run_elsewhere",
    "slurm_script",
]

logger = logging.getLogger(__name__)

BLOCK_SECONDS = 600.0
"""What the runs of a block may take one after another."""
LONG = 10.0
"""A trial that took so many seconds is not repeated."""
FEWEST, MOST = 8, 64
"""Jobs in a block: at least, however long they take; and at most."""


@dataclass(frozen=True)
class Part:
    """Jobs of one model that may train together."""

    jobs: Sequence[Job]
    known: Examination
    """What was found out about the model."""
    timed: int = 0
    """How many runs beside these have a training time."""


@dataclass(frozen=True)
class Site:
    """Where runs take place, and what they share."""

    on: str
    """What `--on` says."""
    dataset: Dataset
    data_dir: Path | str | None
    device: Device
    parallel: Parallel
    command: str
    """What a person types to have all runs."""

    @property
    def threads(self) -> int:
        """Threads of torch for each run: those here are shared out, a node's are one a worker."""
        launcher = read_launcher(self.on)
        if launcher.name == "workers":
            return max(1, torch.get_num_threads() // launcher.count)
        return threads_elsewhere()


def threads_elsewhere() -> int:
    """Return the threads of a run on another machine: one, unless OMP_NUM_THREADS says more."""
    asked = os.environ.get("OMP_NUM_THREADS", "1")
    return int(asked) if asked.isdecimal() and int(asked) else 1


def is_begun(run_folder: Path) -> bool:
    """Tell whether workers were planned for this folder and have left some of it."""
    folder = PlanFolder(run_folder)
    return bool(folder.names()) and folder.path.is_file() and bool(folder.load().on)


def run_elsewhere(
    missing: Sequence[Part], site: Site, store: RunStore, done: Callable[[int], object]
) -> dict[str, FashionbenchError]:
    """Have jobs trained by workers; `done` is told of every number of runs that has come.

    What is planned already, and perhaps in good hands, stays as it is. Returns what blocks failed
    of, by the keys of their jobs, when all others are finished.
    """
    jobs = [job for part in missing for job in part.jobs]
    _refuse_what_is_here_alone(jobs)
    firsts = {data_name(part.jobs[0]): part.jobs[0] for part in missing}
    digests = {
        name: digest_data(deal_anew(site.dataset, job.split)) for name, job in firsts.items()
    }
    plan = make_plan(
        digests,
        site.data_dir,
        threads=site.threads,
        device=site.device,
        parallel=site.parallel,
        on=site.on,
        command=site.command,
    )
    driver = Driver(store, plan)
    kept = driver.keep(jobs)
    timed, others = _divide(missing, kept, site)
    driver.add(timed, timed=True)
    driver.add(others)
    return driver.run(_LAUNCHERS[read_launcher(site.on).name](store.folder, site), done)


def slurm_script(run_folder: Path, on: str | None, device: str) -> str:
    """Return the script that starts Slurm's workers. Raises UsageError for other workers."""
    launcher = read_launcher(on) if on else None
    if launcher is None or launcher.name != "slurm":
        raise UsageError("--dry-run prints the script of Slurm's workers; give --on slurm:16 too.")
    return write_script(run_folder, launcher.count, threads_elsewhere(), device)


_LAUNCHERS: Mapping[str, Callable[[Path, Site], Launcher]] = {
    "workers": lambda folder, site: LocalWorkers(folder, read_launcher(site.on).count),
    "ray": lambda folder, site: RayWorkers(folder, read_launcher(site.on).address),
    "slurm": lambda folder, site: SlurmWorkers(folder, slurm_script(folder, site.on, site.device)),
}
"""What starts workers for a run folder."""


def _refuse_what_is_here_alone(jobs: Sequence[Job]) -> None:
    for job in jobs:
        for name in (job.model, *own_parts(job.recipe)):
            if name.startswith("__main__:"):
                raise UsageError(
                    f"{name.removeprefix('__main__:')} is defined in a script or a notebook, where "
                    "workers cannot find it; put it into a file and name it as file.py:Name."
                )


def _divide(
    missing: Sequence[Part], kept: Mapping[str, bool], site: Site
) -> tuple[list[Block], list[Block]]:
    """Divide jobs that no block holds yet into blocks: those that are timed, and the others.

    `kept` has the keys of jobs in blocks of before, and whether these are timed.
    """
    workers = read_launcher(site.on).count
    lacking = [[job for job in part.jobs if job.key not in kept] for part in missing]
    share = -(-sum(map(len, lacking)) // workers)
    timed, others = list[Block](), list[Block]()
    for part, jobs in zip(missing, lacking, strict=True):
        if not jobs:
            continue
        with threads_at_most(site.threads):
            seconds = estimate_seconds(jobs[0], site.dataset)
        size = block_size(seconds, share)
        logger.info("%s: %.3g s a run, %d runs a block", jobs[0].model, seconds, size)
        block = partial(Block, examined=asdict(part.known), seconds=seconds)
        has_time = part.timed or any(kept.get(job.key) for job in part.jobs)
        count = 0 if has_time else count_timed(jobs, seconds)
        if count:
            timed.append(block(jobs=tuple(jobs[:count])))
        if jobs[count:]:
            others += [block(jobs=few) for few in split_evenly(jobs[count:], size)]
    return timed, others


def count_timed(jobs: Sequence[Job], seconds: float) -> int:
    """Return how many of the jobs are timed, at so many seconds each."""
    if not jobs[0].recipe.epochs:
        return 0
    most = range(min(len(jobs), MOST_TIMED))
    return sum(is_to_be_timed(jobs[0], count, count * seconds) for count in most)


def block_size(seconds: float, share: int) -> int:
    """Return how many runs of so many seconds each a block should have.

    So many that it is worth a start, so few that little is lost with its worker; and never more
    than a worker's share, or others would have nothing to do.
    """
    by_time = int(BLOCK_SECONDS / max(seconds, 1e-9))
    return max(1, min(max(FEWEST, min(MOST, by_time)), share))


def estimate_seconds(job: Job, dataset: Dataset) -> float:
    """Estimate by a few steps on this machine what a run takes alone on its CPU."""
    recipe = job.recipe
    training, _ = hold_out(dataset.train, recipe.validation_images, recipe.train_images)
    build = builder(job, dataset)
    seconds = warm_up(build(job.run_seed), training, recipe)
    if seconds < LONG:  # most of it may have been compilation
        seconds = warm_up(build(job.run_seed), training, recipe)
    a_step = seconds / (WARM_UP_STEPS + 1)
    return a_step * count_steps(len(training), recipe) * recipe.epochs
