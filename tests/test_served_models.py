"""The models of a run side by side."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashionbench.data.picture_facts import PictureFacts
from fashionbench.errors import StoreError
from fashionbench.experiments.result import load_result
from fashionbench.inference.selection import PHOTO_MODEL
from fashionbench.models.checkpoint import checkpoint_path
from fashionbench.serve.answers import answer_json, answer_picture, describe_models
from fashionbench.serve.served_models import load_served_models


def test_the_best_comes_first_and_every_entry_is_shown(run_folder: Path) -> None:
    served = load_served_models(run_folder)
    result = load_result(run_folder)
    best = max(result.entries, key=lambda entry: entry.accuracies[0])
    assert served.models[0].name == result.name(best)
    assert {shown.name for shown in served.models} == {"v0", "mlp"}
    assert served.report == run_folder / "report.html"


def test_the_model_made_for_photos_comes_last_where_its_classes_are_the_runs(
    run_folder: Path, tmp_path: Path
) -> None:
    assert load_served_models(run_folder).for_photos == 0  # silhouettes have other classes
    assert load_served_models(PHOTO_MODEL).for_photos == 0  # the only one
    path = checkpoint_path(run_folder, load_result(run_folder).entries[0].runs[0].job)
    for file in path.parent.glob(f"{path.stem}.*"):
        shutil.copy(file, tmp_path)
    served = load_served_models(run_folder, photo_model=tmp_path / path.name)
    assert [shown.name for shown in served.models][2:] == ["photo"]
    assert served.for_photos == 2
    assert served.predicted is not None
    assert len(served.predicted) == 2
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 70, 3), np.uint8))
    photo.save(tmp_path / "photo.png")
    assert answer_picture(served, (tmp_path / "photo.png").read_bytes()).rely_on == 2
    assert served.test_set is not None
    prepared = {"pixels": served.test_set.images[0].tolist()}
    assert answer_json(served, json.dumps(prepared).encode()).rely_on == 0


def test_disagreements_are_the_images_that_are_called_differently(run_folder: Path) -> None:
    served = load_served_models(run_folder)
    assert served.predicted is not None
    first, second = served.predicted
    assert sorted(served.disagreements) == np.flatnonzero(first != second).tolist()


def test_a_run_stands_beside_the_mean_of_all(tmp_path: Path) -> None:
    """One run of V1 may be ten points better than the next."""
    from fashionbench.experiments.comparison import compare

    folder = tmp_path / "runs"
    few = {"epochs": 1, "train_images": 200, "device": "cpu"}
    result = compare(["v0", "v1"], seeds=3, dataset="silhouettes", out=folder, **few)
    for model in describe_models(load_served_models(folder), 0).models:
        entry = result.find_entry(model.name)
        assert model.test_accuracy in entry.accuracies
        assert model.mean_accuracy == pytest.approx(np.mean(entry.accuracies))
        assert model.runs == 3


def test_a_checkpoint_is_shown_alone(run_folder: Path) -> None:
    entry = load_result(run_folder).entries[0]
    served = load_served_models(checkpoint_path(run_folder, entry.runs[0].job))
    assert [shown.job.model for shown in served.models] == [entry.model]
    assert served.test_set is None
    assert len(served.disagreements) == 0


def test_a_model_that_is_gone_is_named(
    run_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "runs"
    shutil.copytree(run_folder, folder)
    worst = min(load_result(folder).entries, key=lambda entry: entry.accuracies[0])
    checkpoint_path(folder, worst.runs[0].job).unlink()
    served = load_served_models(folder)
    assert len(served.models) == 1
    assert f"{worst.model} is not served: " in caplog.text


@pytest.mark.parametrize(("ground", "taken"), [(None, True), ((0, 250), True), ((230, 250), False)])
def test_a_drawing_is_taken_unless_all_training_images_were_dark_on_light(
    ground: tuple[float, float] | None, taken: bool, run_folder: Path
) -> None:
    served = load_served_models(run_folder)
    predictor = replace(served.models[0].predictor, pictures=PictureFacts(ground))
    first = replace(served.models[0], predictor=predictor)
    assert replace(served, models=(first,)).takes_drawings is taken


def test_no_model_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no runs"):
        load_served_models(tmp_path)
