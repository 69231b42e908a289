"""What follows from records: summaries, pairs and warnings."""

from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_result

from fashionbench.errors import StoreError
from fashionbench.records import RunStore
from fashionbench.report import write_report
from fashionbench.result import load_result


def test_pairs_are_all_pairs_and_their_differences_those_of_the_means(tmp_path: Path) -> None:
    document = make_result(tmp_path).document
    means = {entry["model"]: entry["accuracy"]["mean"] for entry in document["entries"]}
    models = [*means]
    expected = [(a, b) for i, a in enumerate(models) for b in models[i + 1 :]]
    assert [(pair["a"], pair["b"]) for pair in document["pairs"]] == expected
    for pair in document["pairs"]:
        assert pair["difference"] == pytest.approx(means[pair["a"]] - means[pair["b"]])
        assert (pair["verdict"] == "cannot tell") == (pair["p_value"] >= 0.05)


def test_a_folder_without_finished_runs_says_so(tmp_path: Path) -> None:
    store = RunStore(tmp_path, create=True)
    with pytest.raises(StoreError, match="no comparison yet"):
        load_result(tmp_path)
    study = make_result(tmp_path / "other").study
    store.save_study(study, "fashionbench compare")
    with pytest.raises(StoreError, match="go on with: fashionbench compare"):
        load_result(tmp_path)


def test_a_report_counts_as_written_until_it_says_something_else(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    assert not result.is_reported
    write_report(result)
    assert result.is_reported
    assert not replace(result, command="fashionbench compare --seeds 3").is_reported
    (tmp_path / "results.json").write_bytes(b"\xff")
    assert not result.is_reported
