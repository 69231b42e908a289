"""The report's files: the same bytes, self-contained, and saying what the records say."""

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from factories import make_result

from fashionbench.experiments.result import Result
from fashionbench.report.numbers import format_probability
from fashionbench.report.page import FIGURES, render_notebook, write_report


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Three models, three seeds; its report is written."""
    result = make_result(tmp_path_factory.mktemp("report"))
    write_report(result)
    return result


@pytest.fixture(scope="module")
def diverged(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The same, but every run of v1 diverged."""
    result = make_result(tmp_path_factory.mktemp("diverged"), outcomes={"v1": "diverged"})
    write_report(result)
    return result


def read(result: Result, name: str) -> str:
    return (result.folder / name).read_text("utf-8")


@pytest.mark.slow
def test_the_same_records_give_the_same_bytes(result: Result, tmp_path: Path) -> None:
    again = write_report(make_result(tmp_path))
    assert {path.name for path in again} == {
        "report.html",
        "report.md",
        "results.csv",
        "summary.csv",
        "pairs.csv",
        "results.json",
    }
    for path in again:
        assert path.read_bytes() == (result.folder / path.name).read_bytes()


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


@pytest.mark.slow
def test_the_page_needs_nothing_from_elsewhere(result: Result) -> None:
    text = read(result, "report.html")
    page = Page(text)
    assert page.open == []
    assert all(reference.startswith(("#", "data:")) for reference in page.references)
    assert "<script" not in text
    assert len(page.ids) == len(set(page.ids))
    assert page.counts["figure"] == page.counts["figcaption"] == len(FIGURES)
    assert "Silhouettes (a title)" in text
    assert re.findall(r"url\((?!#)|@import", text) == []
    assert page.counts["svg"] == len(FIGURES) - 1 + 3  # one confusion a model


@pytest.mark.slow
def test_names_are_escaped(diverged: Result) -> None:
    text = read(diverged, "report.html")
    assert "Model&lt;v0&gt;" in text
    assert "<v0>" not in text
    assert "Silhouettes (a title)" in text
    assert "&lt;j&gt; &amp; co" in read(diverged, "report.html")


def test_the_numbers_are_those_of_the_records(result: Result) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    text = read(result, "results.json")
    assert json.loads(text, parse_constant=refuse) == result.document.model_dump(mode="json")
    rows = list(csv.DictReader(read(result, "results.csv").splitlines()))
    runs = [run for entry in result.entries for run in entry.runs]
    for row, run in zip(rows, runs, strict=True):
        for name in ("accuracy", "loss", "macro_f1", "calibration_error"):
            assert float(row[name]) == getattr(run.scores, name)
        for name in ("train_seconds", "epochs", "parameters"):
            assert float(row[name]) == getattr(run, name)
        assert int(row["seed"]) == run.job.seed
        assert (row["model"], row["recipe"]) == (run.job.model, run.job.recipe.label)
    page = read(result, "report.html")
    for entry in result.entries:
        mean = sum(run.scores.accuracy for run in entry.runs) / len(entry.runs)
        assert f"{100 * mean:.2f}" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"models": ("v0",)},
        {"models": ("v0", "v1", "v2", "mlp"), "epochs": (1, 2)},
    ],
)
def test_unusual_comparisons_are_drawn_too(options: dict[str, object], tmp_path: Path) -> None:
    result = make_result(tmp_path, **options)
    write_report(result)
    page = read(result, "report.html")
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL).lower()
    assert "<svg" in render_notebook(result)


@pytest.mark.slow
def test_who_beats_whom_is_the_part_of_all_pairs_of_runs(result: Result, tmp_path: Path) -> None:
    (rows,) = re.findall(
        r"<h2>Which run wins</h2>.*?<tbody>(.*?)</tbody>", read(result, "report.html"), re.DOTALL
    )
    table = [re.findall(r">([\d.–]+)</td>", row) for row in rows.strip().split("</tr>")[:-1]]
    entries = [row.entry for row in result.ranking]
    for row, a in zip(table, entries, strict=True):
        for cell, b in zip(row, entries, strict=True):
            if a is b:
                assert cell == "–"
                continue
            wins = [(x > y) + (x == y) / 2 for x in a.accuracies for y in b.accuracies]
            assert float(cell) == pytest.approx(100 * sum(wins) / len(wins), abs=0.5)
    for name, options in (("one seed", {"seeds": 1}), ("one model", {"models": ("v0",)})):
        other = make_result(tmp_path / name, **options)
        write_report(other)
        assert "Which run wins" not in read(other, "report.html")


def test_a_pair_says_how_probable_it_is_and_its_p_value_in_another_table(result: Result) -> None:
    page, text = read(result, "report.html"), read(result, "report.md")
    (headings,) = re.findall(r"<thead>.*Better by over 1 point.*</thead>", page)
    assert "p-value" not in headings
    assert "p-value</th>" in page
    first, *_ = text.partition("| p-value |")
    for pair in result.shown_pairs:
        shares = [vars(pair.probabilities)[name] for name in ("better", "within", "worse")]
        said = " | ".join(map(format_probability, shares))
        assert re.search(rf"^\| {pair.a} \| {pair.b} \| .* \| {said} \|$", first, re.MULTILINE)


@pytest.mark.slow
def test_one_seed_gives_no_interval(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=1)
    write_report(result)
    for name in ("report.html", "report.md"):
        text = read(result, name)
        assert not re.search(r"\d to |– to", text)
        assert "not decided" in text
    assert Page(read(result, "report.html")).open == []


@pytest.mark.slow
def test_a_dead_class_of_v1_is_explained(result: Result, diverged: Result) -> None:
    assert "ReLU on its logits" not in read(result, "report.html")
    assert "ReLU on its logits" in read(diverged, "report.html")


def test_a_diverged_model_is_said_to_have_diverged(diverged: Result) -> None:
    for name in ("report.html", "report.md"):
        text = read(diverged, name)
        assert "3 of 3 runs diverged" in text
        assert "nan" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL).lower()


@pytest.mark.slow
def test_the_spread_at_a_constant_rate_is_called_what_it_may_be(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=2)
    [recipe] = result.study.recipes
    other = {"schedule": "linear", "loss": "mine.py:focal"}
    falling = recipe.model_copy(update=other)  # called as before
    for chosen, told in ((recipe, True), (falling, False)):
        study = result.study.model_copy(update={"recipes": (chosen,)})
        write_report(replace(result, study=study))
        page = (tmp_path / "report.html").read_text("utf-8")
        assert ("<code>--vary order</code> measures that part" in page) == told
        assert ("; cross-entropy</dd>" in page) == told
        assert ("loss mine.py:focal" in page) != told
