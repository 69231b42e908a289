"""How seeds of a model run: some alone, by the clock; the others together or one after another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from fashionbench.config.execution import Execution, Parallel
from fashionbench.config.recipe import Recipe, own_parts
from fashionbench.config.study import Job
from fashionbench.data.split import Split
from fashionbench.training.devices import free_memory
from fashionbench.training.kernels.verified import build_engine
from fashionbench.training.many_seeds.group import Strategy
from fashionbench.training.many_seeds.trial import (
    Build,
    can_use_streams,
    draws_in_training,
    measure_speedup,
    members_in_memory,
    why_not_stackable,
)
from fashionbench.training.step import useful_threads

__all__ = ["MOST_TIMED", "Choice", "choose", "is_to_be_timed"]

MOST_TIMED = 3
TIMING_SECONDS = 10
"""A second and third run are timed alone only while those before took less than this."""

GROUP = 32
"""Members at once on a CPU: beyond that a step's numbers outgrow its caches."""
STREAMS = 16
"""Members on streams of CUDA: their kernels fill a device by then."""


def is_to_be_timed(job: Job, timed: int, seconds: float) -> bool:
    """Tell whether one more run of a model should have the machine to itself, by the clock.

    So many have had it, `seconds` in all. Trials of tuning are not timed, nor are runs on splits
    dealt anew: those on the official one tell the time.
    """
    if job.scored_on == "validation" or job.split:
        return False
    return timed == 0 or (timed < MOST_TIMED and seconds < TIMING_SECONDS)


@dataclass(frozen=True)
class Choice:
    """The strategy for the seeds of a model, and the reason for it."""

    strategy: Strategy | Literal["processes", "serial"]
    why: str
    group_size: int = 1
    """The most members that take their steps together, stacked or on streams."""


def choose(
    build: Build,
    job: Job,
    data: Split,
    execution: Execution,
    seeds: int,
    *,
    differing: Sequence[str] = (),
) -> Choice:
    """Choose the fastest strategy for so many seeds of a model, or the next best to the one asked.

    `differing` are settings in which the jobs differ and which members of a group would share.
    Many members in one process come first, then several processes, then one run after another.
    `data` is on the device that is to be used.
    """
    choice = (
        Choice("serial", f"they differ in {', '.join(differing)}")
        if differing
        else _choose_group(build, job, data, execution.parallel, seeds)
    )
    if choice.strategy != "serial":
        return choice
    obstacle = _why_not_processes(job, data.images.device, execution)
    if obstacle is None:
        return replace(choice, strategy="processes")
    return replace(choice, why=f"{choice.why}; {obstacle}")


def _choose_group(build: Build, job: Job, data: Split, parallel: Parallel, seeds: int) -> Choice:
    """Choose how to train many members at once; "serial" where that cannot be or gains nothing.

    Stacking wins where the C kernels compute the steps, or a model is a few small products of
    matrices. With large ones, which keep a device busy as they are, it is tried out. On a CPU
    torch's convolutions gain nothing from it; on an accelerator they are tried out too.
    """
    if parallel == "processes":
        return Choice("serial", "processes were asked for")
    if job.vary != "all" and draws_in_training(build, data, job.recipe):
        return Choice("serial", "together, each would have a dropout of its own, which is held")
    model, device = build(0), data.images.device
    has_engine = build_engine(model, data, job.recipe, threads=1) is not None
    on_cpu = device.type == "cpu"
    if parallel == "auto" and on_cpu and not has_engine and _has_convolutions(model):
        return Choice("serial", "convolutions gain nothing from stacking on a CPU")
    obstacle = why_not_stackable(build, data, job.recipe)
    large = not has_engine and useful_threads(model, job.recipe) is None
    uncertain = parallel == "auto" and (large or obstacle is not None)
    if obstacle is None and not uncertain:
        size = _group_size(build, data, job.recipe, "stacked")
        return Choice("stacked", "one step trains all of them", size)
    candidates: list[Strategy] = ["stacked"] if obstacle is None else []
    if uncertain and can_use_streams(model, job.recipe, device):
        candidates.append("streams")
    if not candidates:
        return Choice("serial", f"they cannot be stacked ({obstacle})")
    return _choose_fastest(candidates, build, data, job.recipe, seeds)


def _has_convolutions(model: nn.Module) -> bool:
    return any(isinstance(module, nn.modules.conv._ConvNd) for module in model.modules())


def _choose_fastest(
    candidates: Sequence[Strategy], build: Build, data: Split, recipe: Recipe, seeds: int
) -> Choice:
    """Try the candidates out; "serial" if each is slower than one member after another."""
    sizes = {strategy: _group_size(build, data, recipe, strategy) for strategy in candidates}
    speedups = {
        strategy: measure_speedup(build, data, recipe, min(seeds, size), strategy=strategy)
        for strategy, size in sizes.items()
    }
    best = max(candidates, key=speedups.__getitem__)
    tried = ", ".join(f"{strategy} {speedup:.1f} times" for strategy, speedup in speedups.items())
    why = f"a trial ran {tried} as fast as alone"
    return Choice(best, why, sizes[best]) if speedups[best] > 1 else Choice("serial", why)


def _group_size(build: Build, data: Split, recipe: Recipe, strategy: Strategy) -> int:
    """Count the members that are trained together at most, on the device that `data` is on."""
    device = data.images.device
    size = members_in_memory(build, data, recipe, free_memory(device))
    if strategy == "streams":
        return min(size, STREAMS)
    return min(size, GROUP) if device.type == "cpu" else size


def _why_not_processes(job: Job, device: torch.device, execution: Execution) -> str | None:
    """Give the reason why the seeds of a job cannot run in several processes; None if they can."""
    if device.type != "cpu":
        return "processes are for the CPU"
    if any(name.startswith("__main__:") for name in (job.model, *own_parts(job.recipe))):
        return "a model defined in a script cannot be sent to other processes"
    if (execution.jobs or torch.get_num_threads()) == 1:
        return "there is to be one process"
    return None
