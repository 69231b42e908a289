"""Weights that were trained elsewhere: used for pictures, exported, served, scored, as they are."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import Result

from fashionbench.core.logits import infer
from fashionbench.data.split import Dataset
from fashionbench.errors import StoreError, UsageError
from fashionbench.experiments.comparison import compare
from fashionbench.experiments.result import load_result
from fashionbench.inference.export import export_model
from fashionbench.inference.own_weights import parse_own_weights
from fashionbench.inference.predictor import load_predictor
from fashionbench.models.build import build_model
from fashionbench.models.checkpoint import load_model
from fashionbench.serve.served_models import load_served_models
from fashionbench.training.evaluation import evaluate
from fashionbench.training.loop import fit

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def trained(silhouettes: Dataset) -> nn.Module:
    """A network that a loop of one's own might have trained."""
    model = build_model("v0", seed=3)
    fit(model, silhouettes.train, "fast", seed=3, device="cpu")
    return model.eval()


@pytest.fixture
def file(trained: nn.Module, tmp_path: Path) -> Path:
    torch.save(trained.state_dict(), tmp_path / "mine.pth")
    return tmp_path / "mine.pth"


def test_a_file_answers_for_pictures_as_the_network_it_is_of(
    file: Path, trained: nn.Module
) -> None:
    predictor = load_predictor(f"v0:weights={file}")
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    expected = torch.from_numpy(infer(trained, torch.from_numpy(images))).softmax(dim=1)
    np.testing.assert_allclose(predictor.predict_prepared(images), expected, rtol=1e-5, atol=1e-6)
    assert predictor.classes[9] == "Ankle boot"


@pytest.mark.parametrize("wrong", ["mlp-wide", "lenet", "v0:hidden_units=11"])
def test_a_file_that_is_not_all_of_the_model_is_refused(file: Path, wrong: str) -> None:
    with pytest.raises(UsageError, match=r"mine\.pth (are not all of|matches )"):
        load_predictor(f"{wrong}:weights={file}")


def test_a_path_of_that_name_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(parse_own_weights("v0:weights=a.pth")) == "v0:weights=a.pth"
    Path("v0:weights=a.pth").touch()
    assert parse_own_weights("v0:weights=a.pth") is None
    assert parse_own_weights("photo") is parse_own_weights(None) is None


def test_a_bare_file_and_a_folder_are_told_what_is_missing(file: Path, run_folder: Path) -> None:
    with pytest.raises(StoreError, match=rf"say it yourself, such as v2:weights={file}"):
        load_model(file)
    with pytest.raises(StoreError, match=r"may hold many models; take one by fb\.load_result"):
        load_model(run_folder)


def test_python_is_told_what_of_the_file_was_used(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "fashionbench"):
        build_model(f"v0:weights={file}")
        build_model(f"v0:weights={file}:head=new")
    kept, new = caplog.messages
    assert "4 tensors matched" in kept
    assert "kept as the head" in kept
    assert "new as the head: layer_stack.2.weight, layer_stack.2.bias" in new


def test_it_is_exported_and_served(
    file: Path, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = export_model(Path(f"v0:weights={file}"), "torch-export", data_dir=real_data)
    assert made.path == Path("mine.pt2")
    assert "elsewhere; the weights are those of a file" in made.card.read_text()
    (model,) = load_served_models(Path(f"v0:weights={file}")).models
    assert model.test_accuracy is None


def test_the_command_line_takes_it_as_a_model(file: Path, call_cli: Call, tmp_path: Path) -> None:
    from factories import drawn

    drawn((40,) * 3, (255,) * 3).save(tmp_path / "a.png")
    answer = call_cli("predict", "a.png", "--model", f"v0:weights={file}", "--json")
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["checkpoint"] == str(file)
    answer = call_cli("predict", "a.png", "--model", file)
    assert answer.exit_code == 1
    assert "v2:weights=" in answer.stderr


def test_it_stands_in_a_comparison_without_training(
    file: Path, trained: nn.Module, silhouettes: Dataset, tmp_path: Path
) -> None:
    mine = f"v0:weights={file}"
    result = compare(
        ["v0", f"{mine}@scored"], seeds=3, dataset="silhouettes", epochs=1, out=tmp_path / "runs"
    )
    first, scored = result.entries
    assert [len(entry.runs) for entry in (first, scored)] == [3, 1]
    expected = evaluate(trained, silhouettes.test)
    assert scored.accuracies == [expected.accuracy]
    assert scored.runs[0].scores.loss == pytest.approx(expected.loss)
    assert (scored.runs[0].epochs, scored.runs[0].train_seconds) == (0, None)
    assert any("were trained elsewhere and are only scored" in text for text in result.warnings)
    (pair,) = result.pairs
    assert pair.found.n == 3
    gap = np.mean(first.accuracies) - expected.accuracy
    assert pair.found.difference == pytest.approx(gap)
    assert (tmp_path / "runs" / "report.html").is_file()
    assert load_result(tmp_path / "runs").load_model(mine, seed=0)(torch.rand(1, 1, 28, 28)).shape
    # The best model is one that was trained here: nobody knows what chose the other's weights.
    assert load_predictor(tmp_path / "runs").facts.job.recipe.epochs == 1


def test_what_is_only_scored_must_be_whole(file: Path, tmp_path: Path) -> None:
    name = f"v0:weights={file}:head=new@scored"
    with pytest.raises(UsageError, match="are not all of"):
        compare([name], seeds=2, dataset="silhouettes", out=tmp_path / "runs")
