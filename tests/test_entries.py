"""An entry's summary says what its runs say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import LABELS, make_result


def test_the_summary_is_of_the_runs(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=4)
    entry = result.entries[1]
    summary = entry.summarize(result.test_set)
    accuracies = [float(np.mean(run.predicted == LABELS)) for run in entry.runs]
    assert summary.accuracy.mean == pytest.approx(np.mean(accuracies))
    assert summary.accuracy.sd == pytest.approx(np.std(accuracies, ddof=1))
    assert [run.accuracy for run in summary.runs] == pytest.approx(accuracies)
    assert [run.seed for run in summary.runs] == [0, 1, 2, 3]


def test_alike_are_runs_that_answer_alike_and_starts_that_are_known(tmp_path: Path) -> None:
    entry = make_result(tmp_path).entries[0]
    assert not entry.runs_alike
    assert not entry.seeds_itself
    same = replace(entry, runs=(entry.runs[0],) * 3)
    assert same.runs_alike
    starts = [
        replace(run, first_weights=start) for run, start in zip(entry.runs, "aab", strict=True)
    ]
    assert not replace(entry, runs=tuple(starts)).seeds_itself
    assert replace(entry, runs=tuple(starts[:2])).seeds_itself
    assert not replace(entry, runs=tuple(starts[:1])).seeds_itself
