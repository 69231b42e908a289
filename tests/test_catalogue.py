"""What there is: models, recipes and data, listed by the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import Result


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
    (tmp_path / "mine" / "train" / "a" / "1.heic").write_bytes(b"of a phone")
    notes = json.loads(call_cli("data", "--dataset", "mine", "--json").stdout)["notes"]
    assert notes[0].startswith("The folder val with 2 pictures is not used")
    assert notes[1].endswith("not a picture that can be read: 1 .heic.")
    text = call_cli("data", "--dataset", "mine").stdout
    assert [f"! {note}" in text for note in notes] == [True] * len(notes)
