"""An Execution: how the runs of a study share the machine, or which workers train them."""

import os
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from fashionbench.config.launcher import read_launcher
from fashionbench.config.validated import Number, Validated, Whole

__all__ = ["Execution", "Parallel"]

Parallel = Literal["auto", "stacked", "processes", "serial"]
"""How the seeds of a model run together."""
MOST_PROCESSES = 4
"""Processes for each processor of the machine: more would only take turns, and memory."""


def _refuse_too_many(processes: int) -> None:
    most = MOST_PROCESSES * (os.cpu_count() or 1)
    if processes > most:
        raise ValueError(
            f"this machine has {os.cpu_count()} processors, so more than {most} processes would "
            "only take its memory"
        )


class Execution(Validated):
    """How the runs of a study share the machine.

    It is no part of a job, since it changes no result by more than rounding. Only a model with
    dropout is trained differently: stacked seeds draw their masks together.
    """

    parallel: Parallel = "auto"
    jobs: Annotated[Whole, Field(ge=1)] | None = None
    """The most processes that run at once; None allows one for each thread."""
    on: str | None = None
    """What starts workers for the runs, and how many, such as workers:4; None trains here."""
    seconds: Annotated[Number, Field(gt=0)] | None = None
    """No seed is started after so many; None sets no limit."""

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if self.on is not None and self.jobs is not None:
            raise ValueError(
                f"--jobs counts the processes of the comparison itself; with --on {self.on}, which "
                "says how many workers there are, leave it out"
            )
        return self

    @field_validator("on")
    @classmethod
    def _can_start_workers(cls, on: str | None) -> str | None:
        if on is not None:
            launcher = read_launcher(on)
            _refuse_too_many(launcher.count if launcher.name == "workers" else 1)
        return on

    @model_validator(mode="after")
    def _limits_its_own_time(self) -> Self:
        if self.on is not None and self.seconds is not None:
            raise ValueError("--for limits the time of this machine; leave it out with --on")
        return self

    @field_validator("jobs")
    @classmethod
    def _not_too_many(cls, jobs: int | None) -> int | None:
        _refuse_too_many(jobs or 1)
        return jobs

    @model_validator(mode="before")
    @classmethod
    def _refuse_a_strategy_as_number(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("jobs") in get_args(Parallel):
            raise ValueError(
                "--jobs is a number of processes; how seeds run together is "
                f"--parallel {fields['jobs']}"
            )
        return fields
