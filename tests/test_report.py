"""The report's files: the same bytes, self-contained, and saying what the records say."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from factories import make_result

from fashionbench.errors import UsageError
from fashionbench.report import FIGURES, draw_figure, notebook_html, text_table, write_report


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    contents = [
        {path.name: path.read_bytes() for path in write_report(make_result(folder))}
        for folder in folders
    ]
    assert contents[0] == contents[1]
    assert {*contents[0]} == {"report.html", "report.md", "results.csv", "results.json"}


class Page(HTMLParser):
    """Collects what a page refers to, its ids, and whether tags close in order."""

    VOID = frozenset({"meta", "br", "img", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key in ("src", "href", "xlink:href"):
                self.references.append(value or "")
            if key == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    write_report(make_result(tmp_path))
    text = (tmp_path / "report.html").read_text("utf-8")
    page = Page(text)
    assert page.open == []
    assert all(reference.startswith(("#", "data:")) for reference in page.references)
    assert "<script" not in text
    assert len(page.ids) == len(set(page.ids))
    assert page.counts["figure"] == len(FIGURES) + 3
    assert "Silhouettes (a title)" in text
    assert "class j" not in text
    assert "<j>" not in text


def test_the_numbers_are_those_of_the_records(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    write_report(result)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    text = (tmp_path / "results.json").read_text("utf-8")
    assert json.loads(text, parse_constant=refuse) == json.loads(json.dumps(result.document))
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    runs = [run for entry in result.entries for run in entry.runs]
    assert [float(row["accuracy"]) for row in rows] == [run.scores.accuracy for run in runs]
    assert [float(row["train_seconds"]) for row in rows] == [run.train_seconds for run in runs]
    assert [int(row["seed"]) for row in rows] == [run.job.seed for run in runs]
    page = (tmp_path / "report.html").read_text("utf-8")
    for entry in result.entries:
        mean = sum(run.scores.accuracy for run in entry.runs) / len(entry.runs)
        assert f"{100 * mean:.2f}" in page


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": 1},
        {"models": ("v0",)},
        {"outcomes": {"v1": "diverged"}},
        {"models": ("v0", "v1", "v2", "mlp"), "epochs": (1, 2)},
    ],
)
def test_unusual_comparisons_are_drawn_too(options: dict[str, object], tmp_path: Path) -> None:
    result = make_result(tmp_path, **options)
    write_report(result)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL).lower()
    assert text_table(result).row_count == len(result.entries)
    assert "<svg" in notebook_html(result)


def test_a_diverged_model_is_said_to_have_diverged(tmp_path: Path) -> None:
    write_report(make_result(tmp_path, outcomes={"v1": "diverged"}))
    for name in ("report.html", "report.md"):
        assert "3 of 3 runs diverged" in (tmp_path / name).read_text("utf-8")


def test_an_unknown_figure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'curve'; there are accuracies, curves"):
        draw_figure(make_result(tmp_path), "curve")
