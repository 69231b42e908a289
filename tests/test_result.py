"""What follows from records: summaries, pairs and warnings."""

from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_result

from fashionbench.errors import StoreError
from fashionbench.records import RunStore
from fashionbench.report import write_report
from fashionbench.result import Entry, load_result


def test_pairs_are_all_pairs_and_their_differences_those_of_the_means(tmp_path: Path) -> None:
    document = make_result(tmp_path).document
    means = {entry["model"]: entry["accuracy"]["mean"] for entry in document["entries"]}
    models = [*means]
    expected = [(a, b) for i, a in enumerate(models) for b in models[i + 1 :]]
    assert [(pair["a"], pair["b"]) for pair in document["pairs"]] == expected
    for pair in document["pairs"]:
        assert pair["difference"] == pytest.approx(means[pair["a"]] - means[pair["b"]])
        assert pair["n"] == 3
        assert pair["low"] < pair["difference"] < pair["high"]
        assert (pair["verdict"] in ("better", "worse")) == (pair["p_value"] < 0.05)


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


def test_pairs_rest_on_the_seeds_that_both_have_finished(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    one, other = result.entries[:2]
    partial = replace(result, entries=(Entry(one.runs[:2]), Entry(other.runs[1:])))
    [pair] = partial.document["pairs"]
    assert pair["n"] == 1
    gap = one.runs[1].scores.accuracy - other.runs[1].scores.accuracy
    assert pair["difference"] == pytest.approx(gap)


def test_one_run_each_is_compared_by_mcnemar_and_nothing_is_claimed(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=1)
    for pair in result.document["pairs"]:
        assert pair["verdict"] == "cannot tell"
        assert (pair["p_value"], pair["low"], pair["seeds_needed"]) == (None, None, None)
        assert 0 <= pair["mcnemar_p_value"] <= 1
    assert any("McNemar" in warning for warning in result.warnings)


def test_runs_that_were_not_alone_have_no_training_time(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    shared = [replace(run, train_seconds=None) for run in result.entries[0].runs[1:]]
    entry = Entry((result.entries[0].runs[0], *shared))
    seconds = entry.summary(result.test_set.labels)["train_seconds"]
    assert (seconds["n"], seconds["sd"]) == (1, None)
    assert seconds["mean"] == seconds["median"] == entry.runs[0].train_seconds
    other = replace(result, entries=(entry, result.entries[1]))
    assert other.document["pairs"][0]["time_ratio"] is None
    assert result.document["pairs"][0]["time_ratio"]["ratio"] > 0
