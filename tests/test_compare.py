"""Comparing from the command line: answers, a report again, and being killed."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from factories import PATIENCE, make_result, run_cli, wait_until
from typer.testing import CliRunner, Result

from fashionbench.cli.app import app
from fashionbench.report.document import Document

QUICK = ("--dataset", "silhouettes", "--device", "cpu", "--epochs", "1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished comparison in runs/silhouettes."""
    folder = tmp_path_factory.mktemp("cli")
    with contextlib.chdir(folder):
        answer = CliRunner().invoke(app, ["compare", "--models", "v0,v1", "--seeds", "2", *QUICK])
    assert answer.exit_code == 0, answer.stderr
    assert "v0 " in answer.stdout
    assert "Silhouettes" in answer.stdout
    assert answer.stderr == ""
    return folder


@pytest.mark.slow
def test_json_is_one_document_in_the_format_of_results_json(finished: Path) -> None:
    answer = run_cli("compare", "--models", "v0,v1", "--seeds", "2", *QUICK, "--json", cwd=finished)
    document = Document.model_validate_json(answer.stdout)
    assert document.dataset == "silhouettes"
    first = document.entries[0]
    assert (first.model, first.label) == ("v0", "FashionMnistModelV0")
    assert (first.parameters, first.recipe) == (7960, "default epochs=1")
    written = finished / "runs" / "silhouettes" / "results.json"
    assert written.read_text("utf-8") == answer.stdout


@pytest.mark.slow
def test_report_renders_the_same_bytes_again(finished: Path) -> None:
    page = finished / "runs" / "silhouettes" / "report.html"
    before = page.read_bytes()
    page.unlink()
    with contextlib.chdir(finished):
        answer = CliRunner().invoke(app, ["report", "runs/silhouettes"])
    assert answer.exit_code == 0, answer.stderr
    assert page.read_bytes() == before


@pytest.mark.slow
def test_finished_runs_need_no_torch(finished: Path) -> None:
    program = (
        "import sys; sys.argv = ['fashionbench', 'report', 'runs/silhouettes']\n"
        "from fashionbench.cli.app import app\n"
        "app(standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=finished, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("damage", ["newer", "garbage", "another database"])
def test_a_store_that_cannot_be_read_is_left_alone(
    damage: str, tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    store = tmp_path / "store.sqlite"
    if damage == "garbage":
        store.write_bytes(b"not a database at all" * 500)
    else:
        with sqlite3.connect(store) as database:
            database.execute(
                "PRAGMA user_version = 99" if damage == "newer" else "CREATE TABLE notes (text)"
            )
    before = store.read_bytes()
    answer = call_cli("compare", *QUICK, "--out", tmp_path)
    expected = {"newer": "newer fashionbench", "garbage": "damaged"}.get(damage, "not one of")
    assert answer.exit_code == 1
    assert expected in answer.stderr
    assert store.read_bytes() == before


def finished_runs(store: Path) -> int:
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
        return database.execute("SELECT count(*) FROM runs").fetchone()[0]


HELD = """
import time
from pathlib import Path
from torch import nn

class Held(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
        self.steps = 0

    def forward(self, images):
        self.steps += self.training
        while self.steps > 100 and Path("hold").exists():
            Path("held").touch()
            time.sleep(0.01)
        return super().forward(images)
"""
"""In the last of three epochs, of 38 steps each, it waits while there is a file `hold`."""
# Stacked runs round otherwise, and which are stacked depends on time.
HELD_UP = ("compare", "--models", "v0,held.py:Held", "--seeds", "2", *QUICK[:-1], "3")
HELD_UP += ("--parallel", "serial")


def numbers_in(folder: Path) -> list[tuple[object, ...]]:
    """Seeds and scores after comparing in this process, in a folder that has the file."""
    with contextlib.chdir(folder):
        answer = CliRunner().invoke(app, [*HELD_UP, "--json"])
    assert answer.exit_code == 0, answer.stderr
    entries = json.loads(answer.stdout)["entries"]
    return [(r["seed"], r["accuracy"], r["loss"]) for e in entries for r in e["runs"]]


@pytest.fixture(scope="module")
def numbers_of_a_whole_comparison(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "held.py").write_text(HELD)
    return numbers_in(folder)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_what_is_finished_outlives_a_blow_and_the_rerun_completes(
    blow: signal.Signals,
    tmp_path: Path,
    numbers_of_a_whole_comparison: object,
    start: Callable[..., "subprocess.Popen[str]"],
) -> None:
    (tmp_path / "held.py").write_text(HELD)
    (tmp_path / "hold").touch()
    process = start(
        *(sys.executable, "-m", "fashionbench", *HELD_UP),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    wait_until((tmp_path / "held").exists, process)
    process.send_signal(blow)
    _, errors = process.communicate(timeout=PATIENCE)
    assert finished_runs(tmp_path / "runs" / "silhouettes" / "store.sqlite") == 1
    if blow is signal.SIGINT:  # models take turns: v0 has had its first
        assert process.returncode == 130
        assert "1 of 4 runs are finished and kept" in errors
        assert "Traceback" not in errors
    (tmp_path / "hold").unlink()
    assert numbers_in(tmp_path) == numbers_of_a_whole_comparison


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_FSIZE as Linux has it")
def test_a_full_disk_loses_no_finished_run(finished: Path, tmp_path: Path) -> None:
    import resource
    import shutil

    folder = tmp_path / "runs" / "silhouettes"
    shutil.copytree(finished / "runs" / "silhouettes", folder)
    room = (folder / "store.sqlite").stat().st_size

    def no_file_may_grow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    answer = run_cli(
        *("compare", "--models", "v0,v1", "--seeds", "40", *QUICK),
        cwd=tmp_path,
        preexec_fn=no_file_may_grow,
    )
    assert answer.returncode == 1
    assert "cannot be written" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert finished_runs(folder / "store.sqlite") >= 4


@pytest.mark.slow
def test_what_a_persons_model_prints_stays_out_of_the_json(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(
        "from torch import nn\n"
        "class Loud(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(784, 10))\n"
        "        print('hello')\n"
        "def told():\n"
        "    raise SystemExit(3)\n"
        "made = Loud()\n"
    )
    loud = ("compare", "--models", "loud.py:Loud", "--seeds", "2", *QUICK, "--json")
    answer = run_cli(*loud, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["entries"][0]["label"] == "Loud"
    assert "hello" in answer.stderr


@pytest.mark.slow
def test_names_are_shown_as_they_are(tmp_path: Path, call_cli: Callable[..., Result]) -> None:
    make_result(tmp_path / "[old]", models=("v0", "net.py:Net:fire:x"))
    said = call_cli("report", tmp_path / "[old]").stdout
    assert "[old]" in said
    assert "net.py:Net:fire:x" in said
