"""What a comparison lacks goes to workers in blocks of a sensible size, and comes back."""

from pathlib import Path

import pytest
from factories import CPU, jobs, some_plan

from fashionbench.config.execution import Execution
from fashionbench.config.study import Job
from fashionbench.data.split import Dataset
from fashionbench.errors import UsageError
from fashionbench.experiments.cluster import elsewhere
from fashionbench.experiments.cluster.elsewhere import (
    FEWEST,
    MOST,
    Part,
    Site,
    block_size,
    count_timed,
    estimate_seconds,
    is_begun,
    run_elsewhere,
)
from fashionbench.experiments.cluster.plan import Block, PlanFolder
from fashionbench.experiments.gate import Examination
from fashionbench.experiments.launch import open_bench
from fashionbench.experiments.planning import plan
from fashionbench.experiments.run import run_job
from fashionbench.store.run_store import RunStore


@pytest.fixture
def site(silhouettes: Dataset) -> Site:
    return Site("workers:2", silhouettes, None, "cpu", "auto", "")


@pytest.mark.parametrize(
    ("seconds", "share", "size"),
    [
        (0.001, 1000, MOST),
        (20, 1000, 30),
        (3600, 1000, FEWEST),
        (3600, 3, 3),
        (0.001, 1, 1),
        (0, 7, 7),
    ],
)
def test_blocks_are_worth_a_start_and_leave_work_for_others(
    seconds: float, share: int, size: int
) -> None:
    assert block_size(seconds, share) == size


def test_the_first_runs_are_timed_while_they_are_short() -> None:
    asked = jobs("v0", 5)
    assert [count_timed(asked, seconds) for seconds in (0.1, 6, 3600)] == [3, 2, 1]
    assert count_timed(asked[:1], 0.1) == 1
    untrained = [job.model_copy(update={"recipe": job.recipe.override(epochs=0)}) for job in asked]
    assert count_timed(untrained, 0.1) == 0


@pytest.mark.slow
def test_the_trial_tells_the_seconds_of_a_run(tmp_path: Path, silhouettes: Dataset) -> None:
    """Within a factor, on a machine that others use too."""
    (job,) = next(plan(["v2"], ["default"], 1, dataset="silhouettes", epochs=4).entries())
    took = run_job(job, silhouettes, CPU, RunStore(tmp_path, create=True))
    assert took.train_seconds is not None
    assert 0.2 < estimate_seconds(job, silhouettes) / took.train_seconds < 5


@pytest.mark.slow
def test_workers_give_the_numbers_of_this_process(tmp_path: Path, site: Site) -> None:
    here, there = (RunStore(tmp_path / name, create=True) for name in ("here", "there"))
    known, counts = Examination(flops=5), list[int]()
    asked = [jobs("v0", 5), jobs("mlp", 3)]
    parts = [Part(asked[0], known), Part(asked[1], known, timed=1)]
    run_elsewhere(parts, site, there, counts.append)
    assert sum(counts) == 8
    assert not is_begun(there.folder)
    for job in [job for part in asked for job in part]:
        single = run_job(job, site.dataset, CPU, here)
        other = there.load_run(job)
        assert other is not None
        assert other.scores == single.scores
        assert other.flops_per_image == 5
    times = [[there.load_run(job).train_seconds for job in part] for part in asked]
    assert [time is None for time in times[0]] == [False] * 3 + [True] * 2
    assert times[1] == [None] * 3  # it has a time already


def test_a_model_of_a_script_is_refused(tmp_path: Path, site: Site) -> None:
    job: Job = jobs("v0", 1)[0].model_copy(update={"model": "__main__:Net"})
    with pytest.raises(UsageError, match=r"Net is defined in a script.*put it into a file"):
        run_elsewhere(
            [Part([job], Examination())], site, RunStore(tmp_path, create=True), lambda count: None
        )


def test_what_workers_have_left_is_seen(tmp_path: Path) -> None:
    folder = PlanFolder(tmp_path)
    assert not is_begun(tmp_path)
    folder.add(Block(jobs=jobs("v0", 1)))
    folder.write(some_plan())
    assert not is_begun(tmp_path)  # left by processes of a comparison here
    folder.write(some_plan(on="slurm:16"))
    assert is_begun(tmp_path)


def test_threads_are_shared_out_here_and_one_elsewhere(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere.torch, "get_num_threads", lambda: 8)
    assert site.threads == 4
    assert Site("workers:16", site.dataset, None, "cpu", "auto", "").threads == 1


def test_a_machine_that_starts_workers_needs_not_their_device(tmp_path: Path) -> None:
    study = plan(["v0"], ["default"], 1, dataset="silhouettes", device="cuda")
    store = RunStore(tmp_path, create=True)
    assert open_bench(study, store, None, Execution(on="slurm:2")).device == CPU
