"""Rows by accuracy, and places that only what is decided moves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import make_result, make_tuned_result

from fashionbench.report.ranking import rank
from fashionbench.stats.verdict import Verdict
from fashionbench.store.records import RunRecord


def test_the_most_accurate_comes_first_and_has_its_place(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=4)
    means = [np.mean(row.entry.accuracies) for row in result.ranking]
    assert means == sorted(means, reverse=True)
    assert result.ranking[0].verdict is None
    for row in result.ranking[1:]:
        assert row.verdict is not None
        assert row.verdict.word != "better", "than what has the highest mean"
        compared = {id(row.pair.first), id(row.pair.second)}
        assert compared == {id(row.entry), id(result.ranking[0].entry)}


def test_places_are_those_that_the_verdicts_leave(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0", "v1", "v2", "mlp"))
    entries = sorted(result.entries, key=lambda entry: -np.mean(entry.accuracies))
    words = {(0, 3): "better", (1, 3): "better", (0, 2): "better"}  # of the first, by its mean

    def judged(pair):
        i, j = (
            next(k for k, each in enumerate(entries) if each is entry)
            for entry in (pair.first, pair.second)
        )
        verdict = Verdict(words.get((min(i, j), max(i, j)), "not decided"))
        return replace(pair, verdict=verdict if i < j else verdict.of_the_other())

    ranked = rank(result.entries, [judged(pair) for pair in result.pairs])
    assert [id(row.entry) for row in ranked] == [id(entry) for entry in entries]
    assert [(row.first, row.last) for row in ranked] == [(1, 2), (1, 3), (2, 4), (3, 4)]


def test_tuned_rows_stand_in_the_order_of_the_means_that_are_shown(tmp_path: Path) -> None:
    """Of four seeds the first of three studies has two: the mean is that of the studies."""
    result = make_tuned_result(tmp_path, seeds=4, trials=3)
    first, second = (entry for entry in result.entries if entry.tuned)
    uneven, even = (
        replace(entry, runs=tuple(map(with_accuracy, entry.runs, accuracies)))
        for entry, accuracies in (
            (first, [0.9, 0.5, 0.5, 0.9]),  # 0.70 over runs, but 0.63 over studies
            (second, [0.65, 0.65, 0.65, 0.65]),
        )
    )
    assert uneven.mean_accuracy == pytest.approx(1.9 / 3)
    assert [row.entry for row in rank([uneven, even], [])] == [even, uneven]


def with_accuracy(run: RunRecord, accuracy: float) -> RunRecord:
    return replace(run, scores=replace(run.scores, accuracy=accuracy))


def test_undecided_models_may_have_any_place(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=1)
    assert [(row.first, row.last) for row in result.ranking] == [(1, 3)] * 3
