"""Images that only one of two models gets right, counted one by one."""

from pathlib import Path

import numpy as np
import pytest
from factories import make_result

from fashionbench.errors import UsageError
from fashionbench.report.figures import draw_figure
from fashionbench.report.flips import find_flips
from fashionbench.report.page import write_report


def test_flips_are_counted_by_class_between_the_two_most_accurate(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    flips = find_flips(result)
    first, second = (row.entry for row in result.ranking[:2])
    assert (flips.first, flips.second) == (result.name(first), result.name(second))
    labels = result.test_set.labels
    for name, a, stable_a, b, stable_b in flips.rows():
        counts = np.zeros(4, int)
        for image in np.flatnonzero(labels == result.test_set.classes.index(name)):
            right = [
                sum(run.predicted[image] == labels[image] for run in entry.runs)
                for entry in (first, second)
            ]
            counts += [
                right[0] >= 2 and right[1] <= 1,
                right == [3, 0],
                right[1] >= 2 and right[0] <= 1,
                right == [0, 3],
            ]
        assert (a, stable_a, b, stable_b) == tuple(counts)
    assert sum(a for _, a, *_ in flips.rows()) > 0


def test_the_clearest_come_first_and_are_no_others(tmp_path: Path) -> None:
    flips = find_flips(make_result(tmp_path))
    for which in (0, 1):
        found = flips.clearest(which, 5)
        assert flips.only(which)[found].all()
        lead = (flips.shares[which] - flips.shares[1 - which])[found]
        assert (np.diff(lead) <= 0).all()


def test_one_model_has_none(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0",))
    assert find_flips(result) is None
    with pytest.raises(UsageError, match="Images flip between two models"):
        draw_figure(result, "flips")
    write_report(result)
    assert "Images that flip" not in (tmp_path / "report.html").read_text("utf-8")
