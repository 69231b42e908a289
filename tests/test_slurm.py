"""Workers of Slurm: by a stand-in for its programs, and by Slurm itself where it is installed."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from factories import CPU, jobs, plan_here, run_cli
from slurm_cluster import SlurmCluster, why_not_here
from typer.testing import Result

from fashionbench.data.split import Dataset
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.experiments.cluster.claims import Claims, Holder
from fashionbench.experiments.cluster.plan import Block, PlanFolder
from fashionbench.experiments.cluster.slurm import LOOK, MOST_STARTS, SlurmWorkers, write_script
from fashionbench.experiments.planning import plan
from fashionbench.experiments.run import run_job
from fashionbench.store.run_store import RunStore

FAKES = {
    # As with Slurm, a job without a folder for its output would run nothing.
    "sbatch": (
        'test -d "$STAGE/x/logs" && { test "$2" != --exclusive || ! test -s "$STAGE/refused"; } '
        '&& echo "$@" >> "$STAGE/sent" && echo "$(wc -l < "$STAGE/sent");cluster"'
    ),
    "squeue": 'cat "$STAGE/queue"; cat "$STAGE/error" >&2; test ! -s "$STAGE/error"',
    # As with Slurm, a job that has ended is no longer known.
    "scancel": 'echo "$@" >> "$STAGE/cancelled"; exit 1',
}


class Stage:
    """Stand-ins for Slurm's programs, which note what they are asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run_folder, self.now = folder, folder / "x", 0.0
        self.plan = PlanFolder(self.run_folder)
        self.block = Block(jobs=jobs("v0", 2))
        self.plan.add(self.block)
        for name in ("sent", "queue", "error", "cancelled", "refused"):
            (folder / name).write_text("")

    def workers(self) -> SlurmWorkers:
        return SlurmWorkers(self.run_folder, "#!/bin/bash\n", clock=lambda: self.now)

    def look(self, workers: SlurmWorkers, *, progressed: bool = False) -> None:
        self.now += LOOK
        workers.look_after(progressed=progressed)

    def said(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in FAKES.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAGE", str(tmp_path))
    return Stage(tmp_path)


def test_an_array_is_sent_once_and_its_script_can_be_read(stage: Stage) -> None:
    workers = stage.workers()
    workers.start()
    (sent,) = stage.said("sent")
    assert sent == f"--parsable {stage.run_folder / 'plan' / 'workers.sh'}"
    assert (stage.run_folder / "plan" / "workers.sh").read_text() == "#!/bin/bash\n"
    (stage.folder / "queue").write_text("RUNNING\nPENDING\n")
    stage.look(workers)
    stage.workers().start()  # by the next driver
    assert len(stage.said("sent")) == 1


def test_an_array_that_has_ended_is_sent_again_but_not_for_ever(stage: Stage) -> None:
    workers = stage.workers()
    workers.start()
    (stage.folder / "error").write_text("slurm_load_jobs error: Invalid job id specified\n")
    for _ in range(5):
        stage.look(workers, progressed=True)
    sent = len(stage.said("sent"))
    assert sent == 6
    for _ in range(MOST_STARTS - 1):
        stage.look(workers)
    with pytest.raises(FashionbenchError, match=r"ended 3 times without finishing a run; .*logs"):
        stage.look(workers)


def test_runs_are_timed_by_a_worker_alone_on_its_node(stage: Stage) -> None:
    stage.plan.add(Block(jobs=jobs("v0", 1)), timed=True)
    workers, script = stage.workers(), stage.run_folder / "plan" / "workers.sh"
    workers.start()
    array, alone = f"--parsable {script}", f"--parsable --exclusive --array=1 {script} --timed"
    assert stage.said("sent") == [array, alone]
    stage.plan.remove(stage.block.name)
    stage.look(workers, progressed=True)  # both have ended, and one has work left
    assert stage.said("sent") == [array, alone, alone]
    workers.stop(finished=True)
    assert stage.said("cancelled") == ["--state=PENDING 1", "--state=PENDING 3"]


def test_where_no_node_can_be_had_alone_all_workers_train_and_none_times(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.plan.remove(stage.block.name)
    stage.plan.add(stage.block, timed=True)
    (stage.folder / "refused").write_text("yes")
    stage.workers().start()
    assert len(stage.said("sent")) == 1
    assert stage.plan.names(timed=False) == [stage.block.name]
    assert "No run is timed, since Slurm gives no node to one alone: sbatch" in caplog.text


def test_a_controller_that_is_away_is_waited_for(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    workers = stage.workers()
    workers.start()
    (stage.folder / "error").write_text("Unable to contact slurm controller\n")
    for _ in range(5):
        stage.look(workers)
    assert len(stage.said("sent")) == 1
    assert "Unable to contact slurm controller" in caplog.text


def test_at_the_end_only_those_in_the_queue_are_cancelled(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    workers = stage.workers()
    workers.start()
    workers.stop(finished=False)
    assert "`scancel 1` ends them" in caplog.text
    assert stage.said("cancelled") == []
    workers.stop(finished=True)
    assert stage.said("cancelled") == ["--state=PENDING 1"]
    workers.stop(finished=True)
    assert len(stage.said("cancelled")) == 1


def test_a_machine_without_slurm_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="There is no sbatch on this machine"):
        stage.workers().start()
    stage.plan.path.with_name("slurm.job").write_text("1")  # as another machine left it
    with pytest.raises(UsageError, match="There is no squeue on this machine"):
        stage.workers().start()


def test_what_sbatch_refuses_is_told(stage: Stage) -> None:
    (stage.folder / "bin" / "sbatch").write_text("#!/bin/sh\necho 'no such account' >&2; exit 1\n")
    with pytest.raises(UsageError, match="sbatch: no such account"):
        stage.workers().start()


def test_the_script_asks_for_what_a_worker_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = write_script(Path("my runs"), 16, threads=2, device="cuda")
    for line in ("--array=1-16", "--cpus-per-task=2", "--gpus-per-task=1", "--requeue"):
        assert f"#SBATCH {line}\n" in script
    assert "\ntrap '' USR1\n" in script  # Slurm may send it a minute early, while torch is imported
    assert "--gpus" not in write_script(Path("x"), 1, 1, "cpu")
    assert f"worker '{tmp_path / 'my runs'}' --minutes 55 \"$@\"\n" in script


def test_a_dry_run_prints_the_script_and_leaves_nothing(
    tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    answer = call_cli("compare", "--on", "slurm:16", "--dry-run", "--out", "x")
    assert answer.exit_code == 0
    assert answer.stdout == write_script(Path("x"), 16, 1, "auto")
    assert [*tmp_path.iterdir()] == []
    for on in ([], ["--on", "workers:2"]):
        answer = call_cli("compare", "--dry-run", *on)
        assert answer.exit_code == 2
        assert "give --on slurm:16 too" in answer.stderr


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    if reason := why_not_here():
        pytest.skip(reason)
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def environment(slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", str(slurm.configuration))


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_slurm_itself_gives_the_numbers_of_this_machine(
    tmp_path: Path, silhouettes: Dataset
) -> None:
    asked = ("compare", "--models", "v0,mlp", "--seeds", "6", "--dataset", "silhouettes")
    brief = ("--epochs", "1", "--train-images", "500", "--device", "cpu")
    told = run_cli(*asked, *brief, "--on", "slurm:2", "--out", "there", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    there, here = RunStore(tmp_path / "there"), RunStore(tmp_path / "here", create=True)
    study, _ = there.load_study()
    for job in [job for entry in study.entries() for job in entry]:
        first, second = there.load_run(job), run_job(job, silhouettes, CPU, here)
        assert first is not None
        assert first.scores == second.scores
        assert (first.train_seconds is None) == (job.seed > 2)


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("end", ["requeue", "time limit"])
def test_slurm_itself_ends_a_worker_and_the_block_is_free(
    end: str, tmp_path: Path, slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder, run_folder = PlanFolder(tmp_path), tmp_path
    long = next(plan(["v0"], ["default"], 1, dataset="silhouettes", epochs=100_000).entries())
    folder.write(plan_here())
    folder.add(Block(jobs=long))
    script = write_script(run_folder, 1, 1, "cpu")
    if end == "time limit":
        script = script.replace("--time=60", "--time=1").replace("USR1@120", "USR1@50")
    (tmp_path / "logs").mkdir()
    (tmp_path / "workers.sh").write_text(script)
    number = slurm.ask("sbatch", "--parsable", "workers.sh").strip()
    claims = tmp_path / "claims"
    wait_until(lambda: [*claims.glob("v0*.1")])
    if end == "requeue":
        slurm.ask("scontrol", "requeue", f"{number}_1")
        wait_until(lambda: not [*claims.glob("v0*")])  # released at once, by SIGTERM
        folder.remove(Block(jobs=long).name)
        folder.add(Block(jobs=jobs("v0", 2)))
        # Slurm starts it again after a while, and it takes what there is.
        slurm.ask("scontrol", "update", f"JobId={number}_1", "StartTime=now")
        wait_until(lambda: len([*(tmp_path / "inbox").glob("*.run")]) == 2, 200)
    else:
        wait_until(lambda: not [*claims.glob("v0*")], 180)
    free = Claims(tmp_path, 300, Holder("other", 1)).take([Block(jobs=long).name])
    assert free is not None
    slurm.ask("scancel", number)
