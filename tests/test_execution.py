"""How runs share the machine: what is accepted, and what is refused and how."""

import pytest

from fashionbench.config.execution import Execution
from fashionbench.errors import UsageError


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"jobs": "stacked"}, "--jobs is a number of processes; .* --parallel stacked"),
        ({"jobs": 0}, "jobs is 0, but should be greater"),
        ({"jobs": True}, "jobs is True, but should be a whole number"),
        ({"jobs": 1_000_000}, r"jobs is 1000000, but this machine has \d+ processors"),
        (
            {"parallel": 4},
            "parallel is 4, but should be 'auto', 'stacked', .*'serial'",
        ),
    ],
)
def test_a_strategy_and_a_number_of_processes_are_told_apart(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Execution.checked(fields, "compare")


def test_the_number_of_workers_stands_in_one_place() -> None:
    with pytest.raises(UsageError, match=r"with --on workers:2, .* leave it out"):
        Execution.checked({"on": "workers:2", "jobs": 2}, "compare")


def test_more_processes_than_this_machine_can_hold_are_refused_but_not_more_jobs_of_slurm() -> None:
    with pytest.raises(UsageError, match="on is 'workers:99999', but this machine has"):
        Execution.checked({"on": "workers:99999"}, "compare")
    with pytest.raises(UsageError, match="jobs is 99999, but this machine has"):
        Execution.checked({"jobs": 99999}, "compare")
    assert Execution(on="slurm:99999").on == "slurm:99999"
