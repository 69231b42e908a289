"""Which trained model is meant by a run folder, by `photo`, or by nothing at all."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from fashionbench.errors import UsageError
from fashionbench.experiments.result import load_result
from fashionbench.inference.selection import PHOTO_MODEL, find_checkpoint, find_newest_run_folder
from fashionbench.models.checkpoint import checkpoint_path
from fashionbench.serve.served_models import load_served_models


def test_without_validation_images_the_lowest_training_loss_decides(run_folder: Path) -> None:
    result = load_result(run_folder)
    best = min(result.entries, key=lambda entry: fmean(run.curve[-1][1] for run in entry.runs))
    assert find_checkpoint(run_folder) == checkpoint_path(run_folder, best.runs[0].job)


def rewritten(run_folder: Path, into: Path, change: Callable[[str, dict[str, Any]], None]) -> Path:
    """A copy of a run folder in which each record, by its key, is changed."""
    folder = shutil.copytree(run_folder, into / "run")
    with closing(sqlite3.connect(folder / "store.sqlite")) as database, database:
        for key, text in database.execute("SELECT key, record FROM runs").fetchall():
            record = json.loads(text)
            change(key, record)
            database.execute("UPDATE runs SET record = ? WHERE key = ?", (json.dumps(record), key))
    return folder


def test_the_best_on_validation_images_is_taken(run_folder: Path, tmp_path: Path) -> None:
    wanted = load_result(run_folder).entries[0].runs[0].job

    def validated(key: str, record: dict[str, Any]) -> None:
        record["validation_curve"] = [(1, 1.0, 0.9 if key == wanted.key else 0.8)]
        record["curve"][-1][1] = 9.0 if key == wanted.key else 0.1

    folder = rewritten(run_folder, tmp_path, validated)
    assert find_checkpoint(folder) == checkpoint_path(folder, wanted)


def test_the_test_set_does_not_decide(run_folder: Path, tmp_path: Path) -> None:
    """If every recorded test accuracy is reversed, the same model is taken."""

    def turned(key: str, record: dict[str, Any]) -> None:
        record["scores"]["accuracy"] = 1 - record["scores"]["accuracy"]

    folder = rewritten(run_folder, tmp_path, turned)
    assert find_checkpoint(folder).name == find_checkpoint(run_folder).name


def test_the_newest_comparison_is_meant_where_none_is_named(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_newest_run_folder() is None
    for name, age in (("old", 100), ("new", 0), ("older", 200)):
        shutil.copytree(run_folder, tmp_path / "runs" / name)
        store = tmp_path / "runs" / name / "store.sqlite"
        os.utime(store, (store.stat().st_mtime - age,) * 2)
    assert find_newest_run_folder().name == "new"
    unfinished = tmp_path / "runs" / "unfinished"  # as after a download that failed
    unfinished.mkdir()
    shutil.copy(run_folder / "store.sqlite", unfinished)
    assert find_newest_run_folder().name == "new"
    assert [model.predictor.path.parts[:2] for model in load_served_models().models[:1]] == [
        ("runs", "new")
    ]
    assert find_checkpoint() == PHOTO_MODEL  # pictures of one's own are photos


def test_photo_means_the_shipped_model_unless_something_has_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint(Path("photo")) == PHOTO_MODEL
    (tmp_path / "photo").touch()
    assert find_checkpoint(Path("photo")) == Path("photo")


def test_a_model_of_a_run_folder_is_named_as_its_report_names_it(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlp = checkpoint_path(run_folder, load_result(run_folder).find_entry("mlp").runs[0].job)
    v0 = checkpoint_path(run_folder, load_result(run_folder).find_entry("v0").runs[0].job)
    for name, path in (("mlp", mlp), ("MLP", mlp), ("v0", v0), ("fashionmnistmodelv0", v0)):
        assert find_checkpoint(Path(f"{run_folder}:{name}")).name == path.name
    with pytest.raises(UsageError, match="no model 'v7' in this comparison; there are v0, mlp"):
        find_checkpoint(Path(f"{run_folder}:v7"))
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint(Path("mlp")) == Path("mlp"), "without a run folder it is a file"
    shutil.copytree(run_folder, tmp_path / "runs" / "new")
    assert find_checkpoint(Path("mlp")).name == mlp.name
    assert find_checkpoint(Path("mlp.pth")) == Path("mlp.pth")
    served = load_served_models(Path("runs/new:mlp"))
    assert [model.name for model in served.models] == ["mlp", "v0"]


def test_the_model_in_a_folder_of_train_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    assert find_checkpoint(tmp_path) == tmp_path / "model.safetensors"
