"""The command `audit`: what it prints and writes."""

import json
from collections.abc import Callable
from pathlib import Path

from factories import some_arrays, write_idx
from typer.testing import Result


def test_it_prints_what_was_found_and_where_the_page_is(
    call_cli: Callable[..., Result], tmp_path: Path
) -> None:
    train, labels, test, test_labels = some_arrays()
    test[4] = train[1]
    write_idx(tmp_path / "mine", [train, labels, test, test_labels])
    answer = call_cli("audit", "--dataset", "mine/", "--folds", "0")
    assert answer.exit_code == 0, answer.stderr
    assert "1 pair of images is exactly the same" in answer.stdout
    assert "1 of 12 test images (8.33 %) has a double among the training images" in answer.stdout
    assert (tmp_path / "runs" / "mine" / "audit" / "audit.html").is_file()
    assert "split.csv" not in answer.stdout
    answer = call_cli("audit", "--dataset", "mine/", "--folds", "0", "--split", "grouped")
    assert "Split: runs/mine/audit/split.csv" in answer.stdout
    assert "it moves 1 test image to training, and 1 the other way." in answer.stdout
    printed = json.loads(call_cli("audit", "--dataset", "mine/", "--folds", "0", "--json").stdout)
    written = json.loads((tmp_path / "runs" / "mine" / "audit" / "audit.json").read_text("utf-8"))
    assert printed == written
    assert printed["doubtful_test_images"] == {"double": [4]}


def test_the_models_that_judge_are_given_as_in_compare(
    call_cli: Callable[..., Result], tmp_path: Path
) -> None:
    write_idx(tmp_path / "mine", some_arrays())
    flags = ["--model", "linear,mlp:hidden_units=4", "--folds", "3", "--seeds", "1", "--deals", "0"]
    answer = call_cli("audit", "--dataset", "mine/", *flags)
    assert answer.exit_code == 0, answer.stderr
    assert " doubtful: at least 99 % of 6 runs of 2 models disagree. " in answer.stdout
    written = json.loads((tmp_path / "runs" / "mine" / "audit" / "audit.json").read_text("utf-8"))
    judges = [(judge["model"], judge["folds"]) for judge in written["labels"]["judges"]]
    assert judges == [("linear", 3), ("mlp:hidden_units=4", 3)]


def test_what_cannot_be_meant_is_refused(call_cli: Callable[..., Result]) -> None:
    answer = call_cli("audit", "--dataset", "nowhere/")
    assert answer.exit_code == 1
    assert "There is no folder nowhere/" in answer.stderr
    answer = call_cli("audit", "--model", "resnet19")
    assert answer.exit_code == 2
    assert "There is no model 'resnet19'" in answer.stderr
