"""Pictures classified from the command line."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from factories import drawn, photo
from PIL import Image
from typer.testing import CliRunner, Result

from fashionbench.cli import predict
from fashionbench.cli.app import app
from fashionbench.core.ahead import MOST
from fashionbench.inference.photos import Prepared
from fashionbench.inference.predictor import load_predictor

Call = Callable[..., Result]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for name in ("b.png", "a.jpg", ".hidden.png"):
        drawn((40,) * 3, (255,) * 3).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_folder_a_pattern_and_a_file_are_taken(
    pictures: Path, run_folder: Path, call_cli: Call
) -> None:
    arguments = (pictures, str(pictures / "*.png"), pictures / "a.jpg", "--model", run_folder)
    answer = call_cli("predict", *arguments, "--json")
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    names = [Path(entry["picture"]).name for entry in document["pictures"]]
    assert names == ["a.jpg", "b.png", "b.png", "a.jpg"]
    for entry in document["pictures"]:
        assert sum(entry["probabilities"].values()) == pytest.approx(1)
        assert entry["class"] == max(entry["probabilities"], key=entry["probabilities"].get)
        assert entry["sure"] == (entry["probabilities"][entry["class"]] >= document["sure_from"])


def test_what_the_model_saw_is_kept_and_nothing_is_written_over(
    pictures: Path, run_folder: Path, call_cli: Call, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    for _ in range(2):
        answer = call_cli("predict", pictures, "--model", run_folder, "--save-prepared", seen)
        assert answer.exit_code == 0, answer.output
    assert sorted(path.name for path in seen.iterdir()) == ["a-2.png", "a.png", "b-2.png", "b.png"]
    image = np.asarray(Image.open(seen / "b.png"))
    assert (image.shape, image.dtype) == ((28, 28), np.uint8)


def test_the_table_names_the_class_or_says_not_sure(
    pictures: Path, run_folder: Path, call_cli: Call
) -> None:
    answer = call_cli("predict", pictures / "b.png", "--model", run_folder)
    told = json.loads(
        call_cli("predict", pictures / "b.png", "--model", run_folder, "--json").stdout
    )["pictures"][0]
    assert told["class"] in answer.stdout
    assert ("not sure" in answer.stdout) == (not told["sure"])
    assert "not calibrated" in answer.stdout


def test_the_table_leaves_out_the_folders_that_all_pictures_share(
    pictures: Path, run_folder: Path, call_cli: Call
) -> None:
    (pictures / "more").mkdir()
    drawn((40,) * 3, (255,) * 3).save(pictures / "more" / "c.png")
    both = (pictures / "b.png", pictures / "more" / "c.png")
    rows = call_cli("predict", *both, "--model", run_folder).stdout.splitlines()
    assert [row.split()[0] for row in rows[1:3]] == ["b.png", str(Path("more") / "c.png")]
    near = str(Path(pictures.name) / "b.png")
    answer = call_cli("predict", near, both[1], "--model", run_folder)
    assert near in answer.stdout  # relative and absolute paths share nothing


def test_folders_in_folders_are_searched_and_what_is_passed_over_is_told(
    pictures: Path, run_folder: Path, call_cli: Call
) -> None:
    deep = pictures / "in" / "deep"
    deep.mkdir(parents=True)
    for name in ("c.jfif", "d.pgm", "e"):
        drawn((40,) * 3, (255,) * 3).save(deep / name, "PPM" if name == "d.pgm" else "JPEG")
    for name in ("in/__MACOSX/c.png", "in/._c.png", "Thumbs.db", "in/x.mov"):
        (pictures / name).parent.mkdir(exist_ok=True)
        (pictures / name).write_bytes(b"no picture")
    told = "2 files were passed over because they are not pictures that can be read: 1 .mov, 1 .txt"
    for argument in (pictures, str(pictures / "**"), str(pictures.parent / "my*")):
        answer = call_cli("predict", argument, "--model", run_folder, "--json")
        assert answer.exit_code == 0, answer.output
        document = json.loads(answer.stdout)
        found = sorted(Path(entry["picture"]).name for entry in document["pictures"])
        assert found == ["a.jpg", "b.png", "c.jfif", "d.pgm", "e"]
        assert [told in note for note in document["notes"]] == [True]
        assert told in answer.stderr


def test_a_picture_of_any_name_is_told(pictures: Path, run_folder: Path, call_cli: Call) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        drawn((40,) * 3, (255,) * 3).save(pictures / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    (pictures / os.fsdecode(b"bad\xe9.png")).write_bytes(b"no picture")
    seen = pictures / os.fsdecode(b"\xff seen")
    for extra in ((), ("--json",)):
        answer = call_cli(
            "predict", pictures, "--model", run_folder, "--save-prepared", seen, *extra
        )
        assert answer.exit_code == 1
        assert "bad\\xe9.png is not a picture" in answer.stderr
        assert "caf\\xe9.png" in answer.stdout.replace("\\\\", "\\")
    assert {entry["picture"].encode() for entry in json.loads(answer.stdout)["pictures"]}


def test_a_warning_is_told_once_with_its_pictures(
    pictures: Path, ink_reader: Path, call_cli: Call
) -> None:
    for number in range(5):
        Image.fromarray(np.full((28, 28), 250 - number, np.uint8)).save(pictures / f"{number}.png")
    answer = call_cli("predict", pictures, "--model", ink_reader)
    lines = " ".join(answer.stdout.split())
    assert lines.count("The picture is dark on light, but the model was trained on") == 1
    assert "! 0.png, 1.png, 2.png and 4 more: The picture" in lines
    document = json.loads(call_cli("predict", pictures, "--model", ink_reader, "--json").stdout)
    assert {len(entry["warnings"]) for entry in document["pictures"]} == {1}


def test_a_picture_comes_through_standard_input(run_folder: Path) -> None:
    file = io.BytesIO()
    drawn((40,) * 3, (255,) * 3).save(file, "PNG")
    answer = CliRunner().invoke(
        app, ["predict", "-", "--model", str(run_folder), "--json"], input=file.getvalue()
    )
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["pictures"][0]["picture"] == "-"


def test_one_that_cannot_be_read_does_not_stop_the_others(
    pictures: Path, run_folder: Path, call_cli: Call
) -> None:
    arguments = (pictures / "notes.txt", pictures / "b.png", "--model", run_folder)
    answer = call_cli("predict", *arguments, "--json")
    assert answer.exit_code == 1
    assert "notes.txt is not a picture" in answer.stderr
    bad, good = json.loads(answer.stdout)["pictures"]
    assert "error" in bad
    assert "class" in good


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("predict", "empty"), "There are no pictures in the folder empty"),
        (("predict", "*.jpeg"), "There are no pictures in the pattern *.jpeg"),
        (("predict", "x.png", "--model", "nowhere"), "nowhere"),
    ],
)
def test_a_mistake_is_told(
    arguments: tuple[str, ...], says: str, run_folder: Path, call_cli: Call, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    if "--model" not in arguments and arguments[0] == "predict":
        arguments = (*arguments, "--model", str(run_folder))
    answer = call_cli(*arguments)
    assert answer.exit_code == 1
    assert says in " ".join(answer.stderr.split())


def test_answers_come_as_lines_as_they_are_ready(
    pictures: Path, run_folder: Path, call_cli: Call
) -> None:
    (pictures / "broken.png").write_bytes(b"no picture")
    answer = call_cli("predict", pictures, "--model", run_folder, "--jsonl")
    assert answer.exit_code == 1
    assert "broken.png is not a picture" in answer.stderr
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    whole = json.loads(call_cli("predict", pictures, "--model", run_folder, "--json").stdout)
    assert lines == whole["pictures"]
    assert [Path(line["picture"]).name for line in lines] == ["a.jpg", "b.png", "broken.png"]
    refused = call_cli("predict", pictures, "--json", "--jsonl")
    assert (refused.exit_code, "either --json or --jsonl" in refused.stderr) == (2, True)


def test_of_many_pictures_few_are_prepared_before_their_answers_are_asked_for(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = load_predictor(run_folder)
    begun = list[str]()

    def prepare(_: object, name: str) -> Prepared:
        begun.append(name)
        return Prepared(np.zeros((1, 28, 28), np.uint8), is_photo=False)

    monkeypatch.setattr(predict, "_prepare", prepare)
    names: list[str | predict._Answer] = [f"{number}.png" for number in range(500)]
    answers = predict._classify_all(predictor, names, None)
    assert [next(answers).picture for _ in range(20)] == names[:20]
    answers.close()
    assert len(begun) <= 20 + 2 * MOST


def test_each_of_several_things_has_a_row_and_a_box(tmp_path: Path, call_cli: Call) -> None:
    wide = Image.new("RGB", (460, 260), (150, 130, 95))
    inside = Image.fromarray(photo()[1].astype(np.uint8) * 255)
    for left, colour in ((40, (170, 30, 40)), (260, (30, 40, 120))):
        wide.paste(Image.new("RGB", inside.size, colour), (left, 30), inside)
    wide.save(tmp_path / "two.png")
    text = call_cli("predict", tmp_path / "two.png").stdout
    assert "two.png, 1 of 2 from the left" in text
    assert "shows 2 things" in " ".join(text.split())
    (told,) = json.loads(call_cli("predict", tmp_path / "two.png", "--json").stdout)["pictures"]
    assert not told["sure"]
    assert 2 <= len(told["remaining"]) <= 3
    first, second = told["items"]
    assert first["box"][2] < second["box"][0]
    assert sum(first["probabilities"].values()) == pytest.approx(1)
