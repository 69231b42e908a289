"""A block is trained in the way that was chosen, and every run of it is told."""

from pathlib import Path

import pytest
from factories import CPU, jobs

from fashionbench.data.split import Dataset
from fashionbench.experiments.block import run_block
from fashionbench.experiments.gate import Examination
from fashionbench.experiments.strategy import Choice
from fashionbench.store.run_store import RunStore


@pytest.mark.parametrize(
    ("choice", "told", "ways"),
    [
        (Choice("serial", ""), [1, 1, 1], ["in one of several processes"] * 3),
        (Choice("stacked", "", 2), [2, 1], ["stacked with 2"] * 2 + ["stacked with 1"]),
    ],
)
def test_a_block_is_trained_as_chosen(
    choice: Choice, told: list[int], ways: list[str], tmp_path: Path, silhouettes: Dataset
) -> None:
    store, counts, asked = RunStore(tmp_path, create=True), list[int](), jobs("v0", 3)
    known = Examination(flops=5)
    run_block(asked, choice, silhouettes, CPU, store, known, alone=False, done=counts.append)
    assert counts == told
    records = [store.load_run(job) for job in asked]
    assert [record.environment.way for record in records if record] == ways
    assert all(record and record.flops_per_image == 5 for record in records)
    assert all(record and record.train_seconds is None for record in records)


def test_what_hears_of_a_run_may_end_the_block(tmp_path: Path, silhouettes: Dataset) -> None:
    def stop(count: int) -> None:
        raise TimeoutError

    store, asked = RunStore(tmp_path, create=True), jobs("v0", 2)
    choice, known = Choice("serial", ""), Examination()
    with pytest.raises(TimeoutError):
        run_block(asked, choice, silhouettes, CPU, store, known, alone=False, done=stop)
    assert [store.has_run(job) for job in asked] == [True, False]
