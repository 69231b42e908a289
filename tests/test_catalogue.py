"""What there is: models, recipes and data, listed by the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import Result


def test_a_models_arguments_are_listed(call_cli: Callable[..., Result], tmp_path: Path) -> None:
    about = json.loads(call_cli("models", "v2", "--json").stdout)
    expected = {"input_shape": 1, "hidden_units": 10, "output_shape": 10}
    assert about["arguments"].items() >= expected.items()
    assert about["parameters"] == 7740
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\ndef build(classes, width=7):\n    return nn.Sequential("
        "nn.Flatten(), nn.Linear(784, width), nn.Linear(width, classes))\n"
    )
    text = call_cli("models", "net.py:build").stdout
    assert "  classes=(required)\n  width=7\n" in text
    answer = call_cli("models", "v3")
    assert answer.exit_code == 2
    assert "There is no model 'v3'" in answer.stderr


def test_a_picture_is_named_after_its_recipe_in_this_folder(
    call_cli: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text('name = "a/b"', "utf-8")
    answer = call_cli("recipes", str(tmp_path / "mine.toml"), "--plot")
    assert "schedule: a-b-schedule.png" in answer.stdout


@pytest.mark.slow
def test_lists(call_cli: Callable[..., Result]) -> None:
    models = json.loads(call_cli("models", "--json").stdout)
    parameters = {row["model"]: row["parameters"] for row in models}
    assert {"v0": 7960, "v1": 7960, "v2": 7740, "mlp": 7960}.items() <= parameters.items()
    recipes = json.loads(call_cli("recipes", "--json").stdout)
    shipped = {
        "default",
        "adam",
        "rmsprop",
        "long",
        "augmented",
        "fast",
        "best",
        "photo",
        "transfer",
        "scored",
        "judge",
    }
    assert shipped == {row["name"] for row in recipes}


@pytest.mark.slow
def test_data_describes_and_draws(tmp_path: Path, call_cli: Callable[..., Result]) -> None:
    answer = call_cli("data", "--dataset", "silhouettes", "--json")
    summary = json.loads(answer.stdout)
    assert "Silhouettes" in summary["title"]
    assert summary["notes"] == []
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_data_tells_what_of_a_folder_is_not_used(
    tmp_path: Path, call_cli: Callable[..., Result]
) -> None:
    for split in ("train", "test", "val"):
        for k, name in enumerate(("a", "b")):
            (tmp_path / "mine" / split / name).mkdir(parents=True)
            shade = Image.linear_gradient("L").rotate(90 * k + len(split)).resize((28, 28))
            shade.save(tmp_path / "mine" / split / name / "0.png")
    (tmp_path / "mine" / "train" / "a" / "1.mov").write_bytes(b"of a phone")
    notes = json.loads(call_cli("data", "--dataset", "mine", "--json").stdout)["notes"]
    assert notes[0].startswith("The folder val with 2 pictures is not used")
    assert notes[1].endswith("not a picture that can be read: 1 .mov.")
    text = call_cli("data", "--dataset", "mine").stdout
    assert [f"! {note}" in text for note in notes] == [True] * len(notes)
