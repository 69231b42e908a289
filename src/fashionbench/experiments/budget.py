"""How many trials of a tuning a budget of seconds pays for, by what a run of each entry costs here.

A few steps are timed in the way in which the trials will run. Every entry has the same share of the
seconds; what one does not need, since it has all the trials that were asked for, the others have.
"""

from collections.abc import Sequence

import torch

from fashionbench.config.study import Job, Study
from fashionbench.config.tuning import FURTHER_SEEDS, Tuning
from fashionbench.errors import UsageError
from fashionbench.experiments.gate import builder
from fashionbench.experiments.launch import Bench
from fashionbench.experiments.strategy import choose
from fashionbench.training.batches import count_steps
from fashionbench.training.many_seeds.group import Strategy
from fashionbench.training.many_seeds.trial import measure_seconds
from fashionbench.training.own_settings import differing_settings

__all__ = ["deal", "deal_by_cost", "estimate_seconds"]


def deal(study: Study, bench: Bench) -> tuple[int, ...]:
    """Return the trials of each entry that the budget of a study's tuning pays for.

    Raises UsageError, with the least that would do, where that is less than one a study.
    """
    assert study.tuning is not None
    costs = []
    for entry, _ in enumerate(study.entries()):
        points = study.tuning.points_of(entry, 0)
        trials = [study.trial_job(entry, point, 0, 0) for point in points]
        costs.append(estimate_seconds(trials, bench))
    return deal_by_cost(study.tuning, costs)


def estimate_seconds(jobs: Sequence[Job], bench: Bench) -> float:
    """Estimate the wall clock that a run takes, of jobs that run as they would be run here."""
    recipe, data = jobs[0].recipe, bench.dataset.to(bench.device).train
    build = builder(jobs[0], bench.dataset)
    differing = differing_settings([job.recipe for job in jobs])
    choice = choose(build, jobs[0], data, bench.execution, len(jobs), differing=differing)
    strategy: Strategy | None = None
    members = processes = 1
    if choice.strategy == "processes":
        processes = min(len(jobs), bench.execution.jobs or torch.get_num_threads())
    elif choice.strategy != "serial":
        strategy, members = choice.strategy, min(len(jobs), choice.group_size)
    left = len(data) - recipe.validation_images
    steps = recipe.epochs * count_steps(min(left, recipe.train_images or left), recipe)
    return steps * measure_seconds(build, data, recipe, members, strategy) / processes


def deal_by_cost(tuning: Tuning, costs: Sequence[float]) -> tuple[int, ...]:
    """Return the trials of each entry, given the seconds that a run of each takes.

    The cheapest is served first; what it leaves, the others share. Raises UsageError for a budget
    with which the dearest could not try one point a study.
    """
    assert tuning.budget is not None
    least = len(costs) * max(costs) * _runs(tuning, tuning.studies)
    if tuning.budget < least:
        raise UsageError(
            f"A budget of {tuning.budget:g} s is too small for a trial of every entry; it takes "
            f"{_round_up(least)} s at least. Give --budget {_round_up(least)}s or more."
        )
    dealt, left = [0] * len(costs), tuning.budget
    for served, entry in enumerate(sorted(range(len(costs)), key=costs.__getitem__)):
        share = left / (len(costs) - served)
        affordable = [
            trials
            for trials in range(tuning.studies, tuning.trials + 1)
            if costs[entry] * _runs(tuning, trials) <= share
        ]
        dealt[entry] = affordable[-1]
        has_all = dealt[entry] == tuning.trials
        left -= costs[entry] * _runs(tuning, dealt[entry]) if has_all else share
    return tuple(dealt)


def _runs(tuning: Tuning, trials: int) -> int:
    """Count the runs of so many trials: the best quarter, and the recipe as it is, run again."""
    studies = [
        trials // tuning.studies + (study < trials % tuning.studies)
        for study in range(tuning.studies)
    ]
    return trials + FURTHER_SEEDS * sum(1 + -(-points // 4) for points in studies)


def _round_up(seconds: float) -> int:
    return int(-(-seconds // 1))
