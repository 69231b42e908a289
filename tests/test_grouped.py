"""The list of a grouped split names every image, and parts no doubles."""

import csv
import io

import numpy as np

from fashionbench.experiments.audit.doubles import Doubles
from fashionbench.experiments.audit.findings import Pooled
from fashionbench.experiments.audit.grouped import group_split


def test_every_image_has_a_line_and_doubles_stay_together() -> None:
    rng = np.random.default_rng(0)
    first = np.arange(0, 60, 3)
    second = rng.permutation(np.arange(100, 160))[: len(first)]
    found = Doubles(
        first, second, np.linspace(0, 12, 20), np.zeros((20, 2), int), np.zeros(20, bool), 16.0
    )
    files = {
        "train": [f"x/{k}.png" for k in range(120)],
        "test": [f"y/{k}.png" for k in range(40)],
    }
    pooled = Pooled(np.arange(160) % 2, 120, ("a", "b"), files)
    text, moves = group_split(found, pooled, threshold=10)
    rows = [*csv.DictReader(io.StringIO(text))]
    assert len(rows) == 160
    assert [rows[k]["file"] for k in (0, 119, 120)] == ["x/0.png", "x/119.png", "y/0.png"]
    assert (rows[125]["split"], rows[125]["position"], rows[125]["label"]) == ("test", "5", "b")
    for one, other, distance in zip(first, second, found.distance, strict=True):
        if distance <= 10:
            assert rows[one]["group"] == rows[other]["group"] != ""
            assert rows[one]["grouped_split"] == rows[other]["grouped_split"]
    tests = [row for row in rows if row["grouped_split"] == "test"]
    assert [sum(row["label"] == name for row in tests) for name in "ab"] == [20, 20]
    for side, count in (("train", moves.to_train), ("test", moves.to_test)):
        moved = [row for row in rows if row["split"] != side == row["grouped_split"]]
        assert len(moved) == count > 0
    groups = [row["group"] for row in rows if row["group"]]
    assert set(groups) == {str(k) for k in range(1, len(set(groups)) + 1)}
