"""One model trained from the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

QUICK = ("train", "v0", "--dataset", "silhouettes", "--device", "cpu", "--epochs", "1")


@pytest.mark.slow
def test_what_came_of_a_run_is_printed_as_text_or_json(
    tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    text = call_cli(*QUICK, "--out", "first").stdout
    document = json.loads(call_cli(*QUICK, "--out", "second", "--json").stdout)
    assert document["model"] == "v0"
    assert document["epochs"] == 1
    assert document["validation_accuracy"] is None
    assert f"training loss: {document['training_loss']:.4g}\n" in text
    assert "validation accuracy" not in text
    for folder in ("first", "second"):
        assert (tmp_path / folder / "model.safetensors").is_file()


def test_a_loss_that_is_no_number_is_null_in_json(call_cli: Callable[..., Result]) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    text = call_cli(*QUICK, "--lr", "1e30", "--json").stdout
    document = json.loads(text, parse_constant=refuse)
    assert (document["diverged"], document["training_loss"]) == (True, None)


def test_the_folder_is_named_after_the_run_and_never_written_over(
    tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    assert call_cli(*QUICK, "--seed", "3").exit_code == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert [part in folder.name for part in ("v0", "default", "silhouettes", "seed3")] == [True] * 4
    before = (folder / "model.safetensors").read_bytes()
    answer = call_cli(*QUICK, "--seed", "3")
    assert answer.exit_code == 2
    assert "go on with --resume" in answer.stderr
    assert (folder / "model.safetensors").read_bytes() == before


def test_a_run_that_is_not_there_to_resume_is_told_and_begun(
    call_cli: Callable[..., Result],
) -> None:
    says = "first holds no run to resume; training starts from the first epoch."
    anew, again = [call_cli(*QUICK, "--out", "first", "--resume") for _ in range(2)]
    assert (anew.exit_code, again.exit_code) == (0, 0)
    assert (says in anew.stderr, says in again.stderr) == (True, False)


def test_nothing_is_trained_that_could_not_be_kept(
    tmp_path: Path, call_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fashionbench.experiments.resume.fit_job", None)
    (tmp_path / "file").write_text("in the way")
    answer = call_cli(*QUICK, "--out", "file/run")
    assert answer.exit_code == 1
    assert "The run folder file/run cannot be written" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("train",), "Missing argument 'MODEL'"),
        (("train", "v0", "--seed", "-1"), "--seed"),
        (("train", "v0", "--track", "paper"), "cannot be tracked by 'paper'"),
    ],
)
def test_a_mistake_is_told(
    arguments: tuple[str, ...], says: str, call_cli: Callable[..., Result]
) -> None:
    answer = call_cli(*arguments)
    assert answer.exit_code == 2
    assert says in " ".join(answer.stderr.split())
