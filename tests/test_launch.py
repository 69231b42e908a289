"""Which way seeds are run together, and processes that do it and fail."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from factories import CPU, Asking, jobs

from fashionbench.config.study import Execution
from fashionbench.data.split import Dataset
from fashionbench.errors import DataError, FashionbenchError
from fashionbench.experiments import launch
from fashionbench.experiments.gate import Examination
from fashionbench.experiments.launch import choose, run_entry, run_in_processes
from fashionbench.experiments.run import run_job
from fashionbench.models.build import build_model
from fashionbench.store.run_store import RunStore

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.mark.parametrize(
    ("name", "way", "chosen"),
    [
        ("v0", "auto", "stacked"),
        ("mlp", "auto", "stacked"),
        ("v2", "auto", "processes"),
        ("v2", "stacked", "stacked"),
        ("v0", "processes", "processes"),
    ],
)
def test_the_way_suits_the_model(name: str, way: str, chosen: str, silhouettes: Dataset) -> None:
    found, reason = choose(
        partial(build_model, name), jobs(name, 2)[0], silhouettes.train, Execution(parallel=way), 2
    )
    assert found == chosen
    assert reason


def test_what_cannot_be_stacked_goes_the_next_way_and_says_why(silhouettes: Dataset) -> None:
    job = jobs("v0", 1)[0]
    found, reason = choose(lambda seed: Asking(), job, silhouettes.train, Execution(), 2)
    assert (found, "item" in reason) == ("processes", True)
    script = job.model_copy(update={"model": "__main__:Asking"})
    assert choose(lambda seed: Asking(), script, silhouettes.train, Execution(), 2)[0] == "serial"


@pytest.mark.parametrize(
    ("stacked", "streams", "chosen"),
    [(3.2, None, "stacked"), (0.4, None, "serial"), (3.2, 4.5, "streams"), (8.9, 6.2, "stacked")],
)
@pytest.mark.parametrize("name", ["v2", "mlp-wide"])
def test_on_an_accelerator_ways_for_convolutions_and_large_matrices_are_tried_out(
    name: str,
    stacked: float,
    streams: float | None,
    chosen: str,
    silhouettes: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def tried(model: object, data: object, recipe: object, members: int, strategy: str) -> float:
        asked.append(members)
        return streams if strategy == "streams" else stacked

    monkeypatch.setattr(launch, "why_not_stackable", lambda *_: None)
    monkeypatch.setattr(launch, "measure_speedup", tried)
    monkeypatch.setattr(launch, "can_use_streams", lambda *_: streams is not None)
    monkeypatch.setattr(launch, "STREAMS", 5)
    meta = torch.device("meta")  # stands for any device that is not the CPU
    job = jobs(name, 1)[0]
    found, reason = choose(
        partial(build_model, name), job, silhouettes.train.to(meta), Execution(), 7
    )
    assert (found, asked) == (chosen, [7] if streams is None else [7, 5])
    assert all(f"{gain} times" in reason for gain in (stacked, streams) if gain is not None)


@pytest.mark.parametrize(("gained", "chosen"), [(1.6, "stacked"), (0.5, "processes")])
def test_on_a_cpu_large_matrices_are_tried_out_and_small_ones_stacked(
    gained: float, chosen: str, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "measure_speedup", lambda *_, **way: gained)
    for name, expected in (("mlp-wide", chosen), ("v0", "stacked")):
        found, reason = choose(
            partial(build_model, name), jobs(name, 1)[0], silhouettes.train, Execution(), seeds=4
        )
        assert (found, f"{gained} times" in reason) == (expected, name == "mlp-wide")


@pytest.mark.parametrize(("possible", "chosen"), [(True, "streams"), (False, "serial")])
def test_on_an_accelerator_what_cannot_be_stacked_uses_streams_if_it_can(
    possible: bool, chosen: str, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "why_not_stackable", lambda *_: "it asks")
    monkeypatch.setattr(launch, "can_use_streams", lambda *_: possible)
    speedups = {"stacked": 9.9, "streams": 2.3}
    monkeypatch.setattr(launch, "measure_speedup", lambda *_, strategy: speedups[strategy])
    meta = torch.device("meta")
    found, reason = choose(
        partial(build_model, "v0"), jobs("v0", 1)[0], silhouettes.train.to(meta), Execution(), 7
    )
    assert found == chosen
    assert ("streams 2.3 times" if possible else "cannot be stacked (it asks)") in reason


def test_processes_are_for_the_cpu(silhouettes: Dataset) -> None:
    meta = torch.device("meta")
    asked = choose(
        partial(build_model, "v2"),
        jobs("v2", 1)[0],
        silhouettes.train.to(meta),
        Execution(parallel="processes"),
        2,
    )
    assert asked == ("serial", "one after another, for processes are for the CPU")


def run(store: RunStore, silhouettes: Dataset, model: str, seeds: int, way: str, timed: int) -> int:
    counts: list[int] = []
    run_entry(
        jobs(model, seeds),
        silhouettes,
        None,
        CPU,
        store,
        Execution(parallel=way),
        Examination(),
        timed=timed,
        done=counts.append,
    )
    return sum(counts)


@pytest.mark.parametrize(("way", "times"), [("serial", 5), ("stacked", 3)])
def test_time_is_measured_alone(
    way: str,
    times: int,
    tmp_path: Path,
    silhouettes: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch, "TIMING_SECONDS", 1000)  # the machine may be busy
    store = RunStore(tmp_path, create=True)
    assert run(store, silhouettes, "v0", 5, way, timed=0) == 5
    runs = [store.load_run(job) for job in jobs("v0", 5)]
    assert all(found is not None for found in runs)
    assert sum(found.train_seconds is not None for found in runs if found) == times


def test_a_slow_model_is_timed_once(
    tmp_path: Path, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "TIMING_SECONDS", 0)
    store = RunStore(tmp_path, create=True)
    run(store, silhouettes, "v0", 4, "stacked", timed=0)
    times = [store.load_run(job).train_seconds for job in jobs("v0", 4)]
    assert [time is None for time in times] == [False, True, True, True]
    assert run(store, silhouettes, "mlp", 2, "stacked", timed=1) == 2


def test_a_single_run_that_is_left_is_alone_and_so_timed(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    store = RunStore(tmp_path, create=True)
    assert run(store, silhouettes, "v0", 1, "auto", timed=launch.MOST_TIMED) == 1
    found = store.load_run(*jobs("v0", 1))
    assert found is not None
    assert found.train_seconds is not None
    assert found.environment.way == "alone"


def test_more_seeds_than_a_stack_holds_are_several_stacks(
    tmp_path: Path, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "GROUP", 2)
    store = RunStore(tmp_path, create=True)
    assert run(store, silhouettes, "v0", 5, "stacked", timed=3) == 5
    found = [store.load_run(job) for job in jobs("v0", 5)]
    ways = [run.environment.way for run in found if run is not None]
    assert ways == ["stacked with 2"] * 4 + ["stacked with 1"]


@pytest.mark.parametrize(("most", "workers"), [(None, 2), (1, 1), (3, 3), (9, 4)])
def test_jobs_is_the_most_processes_at_once(
    most: int | None, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def refuse():
        started.append(1)
        return subprocess.Popen(
            [sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    monkeypatch.setattr(launch, "_start_worker", refuse)
    store = RunStore(tmp_path, create=True)
    with pytest.raises(FashionbenchError, match="ended from outside"):
        list(run_in_processes(jobs("v0", 4), Examination(), None, store, most))
    assert len(started) == workers


def test_processes_give_the_numbers_of_this_one(tmp_path: Path, silhouettes: Dataset) -> None:
    here, there = (RunStore(tmp_path / name, create=True) for name in ("here", "there"))
    asked = jobs("v2", 2)
    assert sorted(run_in_processes(asked, Examination(flops=5), None, there)) == sorted(
        job.key for job in asked
    )
    torch.set_num_threads(1)
    singles = [run_job(job, silhouettes, CPU, here) for job in asked]
    for job, single in zip(asked, singles, strict=True):
        other = there.load_run(job)
        assert other is not None
        assert other.flops_per_image == 5  # as told, not counted again
        assert other.train_seconds is None
        assert other.environment.threads == 1
        assert other.scores.accuracy == single.scores.accuracy
        assert (there.folder / "checkpoints").is_dir()


def test_a_workers_trouble_is_told_here(tmp_path: Path) -> None:
    store = RunStore(tmp_path, create=True)
    [job] = jobs("v0", 1)
    real = job.model_copy(update={"dataset": "fashion-mnist"})
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="file"):
        list(run_in_processes([real], Examination(), tmp_path / "file", store))


def test_a_worker_that_is_killed_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = launch._start_worker

    def doomed():
        process = start()
        process.kill()
        return process

    monkeypatch.setattr(launch, "_start_worker", doomed)
    with pytest.raises(FashionbenchError, match="ended from outside"):
        list(run_in_processes(jobs("v0", 1), Examination(), None, RunStore(tmp_path, create=True)))
