"""A trained model exported and served from the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Call = Callable[..., Result]


@pytest.mark.parametrize("command", ["export", "serve"])
def test_a_model_that_is_not_there_is_told(command: str, call_cli: Call) -> None:
    answer = call_cli(command, "nowhere")
    assert answer.exit_code == 1
    assert "nowhere" in answer.stderr
    assert answer.stdout == ""


@pytest.mark.slow
def test_an_export_is_written_where_it_is_asked_for(
    run_folder: Path, call_cli: Call, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra export")
    answer = call_cli("export", run_folder, "--out", tmp_path / "model.onnx")
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "model.onnx").is_file()
