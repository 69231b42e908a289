"""Doubtful test images are read, checked against the data, and left out of a second accuracy."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from factories import LABELS, make_result

import fashionbench as fb
from fashionbench.config.exclusion import Exclusion, load_exclusion
from fashionbench.data.datasets import load_arrays
from fashionbench.errors import DataError, FashionbenchError, UsageError
from fashionbench.report.page import write_report
from fashionbench.report.terminal import build_entry_table
from fashionbench.store.records import digest_images

GOOD = {
    "format": 1,
    "dataset": "silhouettes",
    "digests": {"train": "aa", "test": "bb"},
    "doubtful_test_images": {"label": [7, 3], "double": [3, 150]},
    "whatever": "else",
}


def written(folder: Path, content: object) -> Path:
    path = folder / "audit.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_each_image_is_left_out_once_whatever_it_is_doubted_for(tmp_path: Path) -> None:
    found = load_exclusion(written(tmp_path, GOOD))
    assert found.positions == [3, 7, 150]
    assert found.digest == "bb"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not JSON", "is not JSON, or was cut off; name the audit.json"),
        ([1], "is no audit: it has no digests"),
        ({"format": 1, "digests": {}}, "is no audit"),
        (GOOD | {"format": 2}, "has format 2, and this fashionbench reads 1"),
        (GOOD | {"doubtful_test_images": {"label": []}}, "doubts no test image"),
        (GOOD | {"doubtful_test_images": {"label": [-1]}}, "by_reason.label is"),
        (GOOD | {"doubtful_test_images": {"label": ["7"], "double": [1.5]}}, "by_reason"),
    ],
)
def test_what_says_no_images_is_refused_in_a_sentence(
    content: object, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        load_exclusion(written(tmp_path, content))
    with pytest.raises(UsageError, match="cannot be read"):
        load_exclusion(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"digest": "cc"}, DataError, "is about other test images: those of another data set"),
        ({"by_reason": {"label": [6]}}, UsageError, "names test image 6, but there are 6"),
        ({"by_reason": {"label": [1, 3, 5]}}, UsageError, "a class has no test images left"),
    ],
)
def test_it_must_fit_the_test_images(
    changes: Mapping[str, object], error: type[FashionbenchError], said: str
) -> None:
    good = {"file": "audit.json", "digest": "bb", "by_reason": {"label": [0]}}
    Exclusion(**good).check("bb", [0, 1, 0, 1, 0, 1])
    with pytest.raises(error, match=said):
        Exclusion(**good | changes).check("bb", [0, 1, 0, 1, 0, 1])


def test_a_second_accuracy_is_of_the_images_that_are_left(tmp_path: Path) -> None:
    from rich.console import Console

    exclusion = load_exclusion(written(tmp_path, GOOD))
    plain, result = (
        make_result(tmp_path / name, exclusion=given)
        for name, given in (("plain", None), ("excluding", exclusion))
    )
    left = [position for position in range(200) if position not in (3, 7, 150)]
    for entry, row, other in zip(
        result.entries, result.document.entries, plain.document.entries, strict=True
    ):
        by_hand = [np.mean((run.predicted == LABELS)[left]) for run in entry.runs]
        assert row.accuracy_without_excluded.mean == pytest.approx(np.mean(by_hand))
        assert row.accuracy_without_excluded.n == 3
        assert row.accuracy == other.accuracy
        assert other.accuracy_without_excluded is None
    assert result.document.pairs == plain.document.pairs  # of all test images
    excluded = result.document.excluded
    assert (excluded.images, excluded.by_reason) == (3, {"label": 2, "double": 2})
    console = Console(width=90)
    with console.capture() as capture:
        console.print(build_entry_table(result))
    shown = " ".join(capture.get().split())
    assert "accuracy % excl. %" in shown
    assert "excl.: without 3 doubtful images of audit.json" in shown
    write_report(result)
    folder = tmp_path / "excluding"
    assert "Without doubtful images" in (folder / "report.html").read_text("utf-8")
    rows = [line for line in (folder / "report.md").read_text("utf-8").splitlines() if "|" in line]
    assert "| without 3 doubtful, % |" in rows[0]
    tables = rows[:5], rows[5:10], rows[10:]  # three rows each, with headings and rule
    assert [table[0].split("|")[1] for table in tables] == [" model ", " first ", " first "]
    for of_table in tables:
        assert len({line.count("|") for line in of_table}) == 1


def test_nothing_is_trained_where_the_audit_is_of_other_images(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    asked = {"seeds": 1, "dataset": "silhouettes", "epochs": 1, "out": tmp_path / "runs"}
    with pytest.raises(DataError, match="about other test images"):
        fb.compare("v0", exclude=path, **asked)
    assert not (tmp_path / "runs").exists()
    [(images, labels)] = load_arrays("silhouettes", splits=["test"])
    digests = {"digests": {"test": digest_images(images, labels)}}
    result = fb.compare("v0", exclude=written(tmp_path, GOOD | digests), **asked)
    [row] = result.document.entries
    [run] = result.entries[0].runs
    kept = np.delete(run.predicted == labels, [3, 7, 150])
    assert row.accuracy_without_excluded.mean == pytest.approx(kept.mean())
    # The run folder shows the same again, without the file.
    path.unlink()
    assert fb.load_result(tmp_path / "runs").to_json() == result.to_json()
