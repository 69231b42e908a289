"""A block: jobs that may train together, trained in the way that was chosen for them.

The same for a comparison in its own process and for a worker somewhere else.
"""

from collections.abc import Callable, Sequence

import torch

from fashionbench.config.study import Job
from fashionbench.data.split import Dataset
from fashionbench.experiments.gate import Examination
from fashionbench.experiments.run import Destination, run_job, run_together
from fashionbench.experiments.strategy import Choice

__all__ = ["run_block"]


def run_block(
    jobs: Sequence[Job],
    choice: Choice,
    dataset: Dataset,
    device: torch.device,
    store: Destination,
    examined: Examination,
    *,
    alone: bool,
    done: Callable[[int], object],
) -> None:
    """Run jobs in this process: one after another, or so many at once as the choice says.

    `dataset` is on the device. `done` is told of every number of runs that is finished and kept;
    what it raises ends the block there. `alone` is that of `run_job`.
    """
    if choice.strategy == "processes" or choice.strategy == "serial":
        for job in jobs:
            run_job(job, dataset, device, store, examined, alone=alone)
            done(1)
        return
    for first in range(0, len(jobs), choice.group_size):
        group = jobs[first : first + choice.group_size]
        run_together(group, dataset, device, store, examined, strategy=choice.strategy)
        done(len(group))
