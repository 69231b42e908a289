"""The command line as a whole: its help, and mistakes told in a sentence."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import Result

import fashionbench
from fashionbench import cli

QUICK = ("--dataset", "silhouettes", "--device", "cpu", "--epochs", "1")


COMMANDS = ["compare", "report", "plan", "check", "train", "audit", "models", "recipes", "data"]
COMMANDS += ["predict", "export", "serve"]


def test_the_help_names_every_command_and_loads_no_torch() -> None:
    program = (
        "import sys; sys.argv = ['fashionbench', '--help']\n"
        "from fashionbench.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules, sep='\\n')"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert [name for name in COMMANDS if name not in answer.stdout] == []
    loaded = set(answer.stdout.splitlines())
    assert "fashionbench.cli.app" in loaded
    assert not loaded & {"torch", "numpy", "scipy", "matplotlib"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_examples_whose_flags_it_explains(
    command: str, call_cli: Callable[..., Result]
) -> None:
    text = call_cli(command, "--help").stdout
    explained, examples = text.split("Examples:")
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    assert lines
    for line in lines:
        assert line.startswith(f"fashionbench {command}")
        assert [flag for flag in re.findall(r"--[a-z-]+", line) if flag not in explained] == []
    assert re.findall(r"<\w+.*?>", text) == []  # no types of Python, such as <bool>


def test_help_says_what_is_taken_where_nothing_is_given(call_cli: Callable[..., Result]) -> None:
    said = {name: call_cli(name, "--help").stdout for name in ("compare", "train", "serve")}
    assert "runs/DATASET" in said["compare"]
    assert "$FASHIONBENCH_DATA" in said["compare"]
    assert "runs/MODEL-RECIPE-DATASET-seedN" in said["train"]
    assert "else photo" in said["serve"]


def test_the_version_is_told(call_cli: Callable[..., Result]) -> None:
    assert call_cli("--version").stdout == f"fashionbench {fashionbench.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["compare", "--models", "v9"], 2, "no model 'v9'; there are v0, v1, v2, mlp"),
        (["models", "builtins:dict"], 2, "The arguments of dict are not known; name a class or"),
        (["compare", "--recipes", "nope"], 2, "no recipe 'nope'; there are default"),
        (["compare", "--device", "gpu"], 2, "device is 'gpu'"),
        (["compare", "--dataset", "mnist"], 2, "no data set 'mnist'; there are fashion-mnist"),
        (["compare", "--epochs", "-1"], 2, "epochs is -1, but"),
        (["compare", "--optimizer", "sdg"], 2, "optimizer is 'sdg'"),
        (["compare", "--lr", "0"], 2, "learning_rate is 0, but"),
        (["compare", "--seeds", "0"], 2, "0 seeds cannot be compared"),
        (["compare", "--seeds", "1,1"], 2, "only once"),
        (["compare", "--seeds", "few"], 2, "--seeds 'few' is not understood"),
        (["compare", "--models", ","], 2, "nothing to compare"),
        (["compare", "--models", ""], 2, "An argument is empty"),
        (["data", "--data="], 2, "An argument is empty"),
        (["compare", "--models", "v0", "--until", "0.01"], 2, "name two models or recipes"),
        (["compare", "--parallel", "yes"], 2, "parallel is 'yes', but should be 'auto', 'stacked'"),
        (["compare", "--jobs", "stacked"], 2, "run together is --parallel stacked."),
        (["compare", "--jobs", "many"], 2, "jobs is 'many', but should be a whole number"),
        (["compare", "--jobs", "0"], 2, "jobs is 0, but should be greater than"),
        (["compare", "--until", "2"], 2, "until is 2.0"),
        (["compare", "--splits", "1000000"], 2, "splits is 1000000, but should be less than"),
        (["compare", "--until", "0.01", "--max-seeds", "1"], 2, "max_seeds is 1"),
        (["compare", "--colour"], 2, "No such option: --colour"),
        (["compare", "--seeds"], 2, "requires an argument; see fashionbench compare --help."),
        (["predict"], 2, "Missing argument 'PICTURE'; see fashionbench predict --help."),
        (["foo"], 2, "No such command 'foo'; see fashionbench --help."),
        (["--bad"], 2, "No such option: --bad"),
        (["serve", "--port", "x"], 2, "Invalid value for '--port': "),
        (["report", "nowhere", "--style", "paper"], 2, "give --figures svg too"),
        (["report", "nowhere"], 1, "nowhere holds no runs"),
        (["report", "file"], 1, "file holds no runs"),
        (["report", 300 * "x"], 1, "cannot be used (File name too long); name another"),
        (["compare", "--models", "folder"], 2, "folder is a folder; to compare the networks in it"),
        (["compare", *QUICK, "--out", "file/runs"], 1, "cannot be written"),
        (["compare", "--data", "file"], 1, "file"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    arguments: list[str], code: int, says: str, tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    answer = call_cli(*arguments)
    assert answer.exit_code == code, answer.stderr
    assert says in " ".join(answer.stderr.split())
    assert answer.stderr.startswith("fashionbench: ")
    assert "Usage:" not in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""


def test_an_interruption_while_the_program_is_loaded_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "fashionbench.cli.app", SimpleNamespace(main=interrupt))
    with pytest.raises(SystemExit, match="130"):
        cli.main()
    assert capsys.readouterr().err == "fashionbench: interrupted.\n"


@pytest.mark.skipif(os.name != "posix", reason="needs a shell that closes outputs")
def test_an_output_that_is_closed_is_done_without() -> None:
    for stream in (1, 2):
        command = f'"{sys.executable}" -m fashionbench recipes {stream}>&-'
        answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
        assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_an_output_that_cannot_be_written_is_told_in_a_sentence() -> None:
    command = [sys.executable, "-m", "fashionbench", "recipes"]
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert answer.returncode == 1
    assert answer.stderr == (
        "fashionbench: the output cannot be written (No space left on device).\n"
    )
