"""Rows by accuracy, and places that only what is decided moves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from factories import make_result

from fashionbench.report.ranking import rank
from fashionbench.stats.verdict import Verdict


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


def test_undecided_models_may_have_any_place(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=1)
    assert [(row.first, row.last) for row in result.ranking] == [(1, 3)] * 3
