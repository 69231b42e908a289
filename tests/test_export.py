"""Exported models: the same answers from other programs, the metadata inside, the card beside."""

import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fashionbench.cli.app import app
from fashionbench.config.recipe import load_recipe
from fashionbench.config.study import Job
from fashionbench.data.split import Dataset
from fashionbench.errors import StoreError, UsageError
from fashionbench.experiments.result import load_result
from fashionbench.inference.export import FORMATS, Export, _render_card, export_model
from fashionbench.models.checkpoint import checkpoint_path, load_model, save_model
from fashionbench.models.facts import ModelFacts
from fashionbench.models.identity import identify

pytest.importorskip("onnxruntime", reason="needs the extra export")


class Flat(nn.Module):
    """The least model there is; the two below spoil its export."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(784, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1))


class Deceiver(Flat):
    """Answers otherwise once it is exported."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (1e-2 if torch.compiler.is_exporting() else 0)


class Moody(Flat):
    """Decides by what it sees, which no graph can follow."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.sum() > 0 else -x)


def own_checkpoint(folder: Path, model: type[nn.Module]) -> Path:
    spec, source = identify(model)
    recipe = load_recipe("default")
    job = Job(
        model=str(spec), model_source=str(source), recipe=recipe, seed=0, dataset="silhouettes"
    )
    path = checkpoint_path(folder, job)
    facts = ModelFacts(
        job=job,
        label=model.__name__,
        classes=tuple("abcdefghij"),
        parameters=7850,
        test_accuracy=0.1,
        environment={"versions": {"torch": "2.11.0"}},
    )
    save_model(model(), path, facts)
    return path


def run_onnx(path: Path, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images})
    return logits


def run_torch(path: Path, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        return torch.export.load(path).module()(torch.from_numpy(images)).numpy()


def metadata(path: Path, to: str) -> dict[str, str]:
    if to == "torch-export":
        inside = {"about.json": ""}
        torch.export.load(path, extra_files=inside)
        return json.loads(inside["about.json"])
    import onnx

    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return {prop.key: prop.value for prop in model.metadata_props}


@pytest.mark.slow
@pytest.mark.parametrize(("to", "run"), [("onnx", run_onnx), ("torch-export", run_torch)])
@pytest.mark.parametrize("with_preprocessing", [False, True])
def test_every_format_answers_as_the_model_for_any_batch(
    to: str,
    run: Any,
    with_preprocessing: bool,
    run_folder: Path,
    silhouettes: Dataset,
    tmp_path: Path,
) -> None:
    checkpoint = sorted((run_folder / "checkpoints").glob("mlp*.safetensors"))[0]
    out = tmp_path / "model.bin"
    made = export_model(checkpoint, to, out, with_preprocessing=with_preprocessing)
    assert (made.path, made.images) == (out, 1000)
    for batch in (1, 2, 33):
        images = silhouettes.test.images[-batch:].numpy()
        as_floats = images[:, None].astype(np.float32) / np.float32(255)
        expected = load_model(checkpoint)(torch.from_numpy(as_floats)).detach().numpy()
        found = run(out, images if with_preprocessing else as_floats)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("to", FORMATS)
def test_file_and_card_say_what_the_model_is_and_the_snippet_runs(
    to: str, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = load_result(run_folder)
    best = max(result.entries, key=lambda entry: entry.accuracies[0])
    made = export_model(run_folder, to, tmp_path / "model.bin")
    about = metadata(made.path, to)
    assert about["model"] == best.label
    assert json.loads(about["classes"]) == [*result.test_set.classes]
    assert json.loads(about["recipe"])["epochs"] == 1
    assert float(about["test_accuracy"]) == best.accuracies[0]
    assert (about["dataset"], about["seed"], about["parameters"]) == ("silhouettes", "0", "7960")
    assert "fashionbench" in json.loads(about["versions"])

    card = made.card.read_text("utf-8")
    assert f"{100 * best.accuracies[0]:.2f} % of the 1,000 test images" in card
    assert "One seed: how much of that is luck" in card
    recalls = best.runs[0].scores.recall
    for name, recall in zip(result.test_set.classes, recalls, strict=True):
        assert f"| {name} | {100 * recall:.1f} |" in card
    assert str(tmp_path) not in card
    snippet = re.search(r"```python\n(.*)```", card, re.DOTALL)
    assert snippet
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(snippet[1], found)
    assert found["logits"].shape == (1, 10)


@pytest.mark.parametrize("loss", ["cross-entropy", "mine.py:focal"])
def test_the_card_names_the_loss_that_was_minimized(loss: str, tmp_path: Path) -> None:
    recipe = load_recipe("default").override(loss=loss)
    job = Job(model="v0", recipe=recipe, seed=0, dataset="silhouettes")
    path = tmp_path / "checkpoints" / "v0.safetensors"
    predictor = SimpleNamespace(path=path, classes=("bag", "boot"), temperature=None)
    about = {
        "input": "",
        "output": "",
        "parameters": "1",
        "versions": "{}",
        "test_accuracy": "null",
    }
    made = Export(path, path, "v0", 1, 0.0)
    card = _render_card(made, "onnx", about, cast(Any, predictor), job)
    row = next(line for line in card.splitlines() if line.startswith("| recipe |"))
    assert loss in row
    assert ("cross-entropy" in row) == (loss == "cross-entropy")


def test_the_number_of_images_is_called_batch_in_the_file(run_folder: Path, tmp_path: Path) -> None:
    import onnx

    made = export_model(run_folder, "onnx", tmp_path / "model.onnx")
    graph = onnx.load(made.path).graph
    named = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output, *graph.value_info]
    }
    assert named["images"] == ["batch", 1, 28, 28]
    assert named["logits"] == ["batch", 10]
    assert {name for sizes in named.values() for name in sizes if isinstance(name, str)} == {
        "batch"
    }


@pytest.mark.slow
def test_a_checkpoint_alone_is_checked_on_the_data_set(run_folder: Path, tmp_path: Path) -> None:
    for file in (run_folder / "checkpoints").glob("v0*"):
        shutil.copy(file, tmp_path)
    made = export_model(next(tmp_path.glob("*.safetensors")), out=tmp_path / "model.onnx")
    assert made.images == 1000
    assert "recall" not in made.card.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "says"),
    [(Deceiver, "does not answer as the original"), (Moody, "cannot be exported")],
)
@pytest.mark.parametrize("to", FORMATS)
def test_what_would_answer_otherwise_is_not_written(
    model: type[nn.Module], says: str, to: str, tmp_path: Path
) -> None:
    checkpoint = own_checkpoint(tmp_path / "run", model)
    with pytest.raises(StoreError, match=says):
        export_model(checkpoint, to, tmp_path / "model.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


class Rounded(Flat):
    """Uses what torch.export follows and ONNX has no operation for."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.i0e(super().forward(x))


@pytest.mark.slow
def test_what_a_format_lacks_is_told_in_a_sentence(tmp_path: Path) -> None:
    checkpoint = own_checkpoint(tmp_path / "run", Rounded)
    with pytest.raises(StoreError, match="Rounded cannot be exported: it has no form in onnx"):
        export_model(checkpoint, "onnx", tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_an_unknown_format_and_a_missing_extra_are_told(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no format 'tflite'; there are onnx, torch-export"):
        export_model(run_folder, "tflite")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UsageError, match=re.escape('pip install ".[export]"')):
        export_model(run_folder, out=tmp_path / "model.onnx")


@pytest.mark.slow
def test_a_checkpoint_of_train_is_named_after_its_folder_and_each_format_has_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = own_checkpoint(tmp_path / "run", Flat)
    folder = tmp_path / "shoes"
    folder.mkdir()
    for suffix in (".json", ".safetensors"):
        own.with_suffix(suffix).rename(folder / f"model{suffix}")
    monkeypatch.chdir(tmp_path)
    for to in FORMATS:
        export_model(folder, to)
    made = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert made == {"shoes.onnx", "shoes.onnx.md", "shoes.pt2", "shoes.pt2.md"}
    with pytest.raises(UsageError, match="is a folder; give --out the name of a file"):
        export_model(folder, out=tmp_path)


@pytest.mark.slow
def test_the_command_says_what_it_wrote_and_nothing_else(
    run_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.onnx"
    app(
        ["export", str(run_folder), "--with-preprocessing", "--out", str(out)],
        standalone_mode=False,
    )
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.startswith(f"{out}: ")
    assert len(said.out.splitlines()) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.md"]
