"""The tables and the page of a tuned comparison say what its document says."""

import re
from pathlib import Path

import pytest
from factories import make_tuned_result
from rich.console import Console

from fashionbench.config.recipe import SEARCHED
from fashionbench.config.search_space import Range
from fashionbench.config.tuning import Tuning
from fashionbench.experiments.result import Result
from fashionbench.report.figures import TUNING_FIGURES
from fashionbench.report.page import write_report
from fashionbench.report.tuning_table import (
    build_tuning_table,
    describe_protocol,
    list_budgets,
    list_gains,
    list_milestones,
)


@pytest.fixture
def result(tuned_result: Result) -> Result:
    return tuned_result


def test_each_entry_has_three_rows(result: Result) -> None:
    lines = list_gains(result.tuned_rows)
    assert [(line.name, line.row) for line in lines] == [
        (name, row) for name in ("v0", "v1") for row in ("as it is", "tuned", "gain")
    ]
    entries = result.document.entries
    for line, entry in zip([lines[index] for index in (0, 1, 3, 4)], entries, strict=True):
        assert line.value == f"{100 * entry.accuracy.mean:.2f}"
    assert lines[2].value == f"{100 * (entries[1].accuracy.mean - entries[0].accuracy.mean):+.2f}"
    assert lines[0].said == "learning rate 0.1"
    assert (lines[4].said, lines[5].said) == ("as it is", "the recipe stays as it is")


def test_the_terminal_has_room_for_them(result: Result) -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(build_tuning_table(result.tuned_rows, result.document.tuning.order))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    for line in list_gains(result.tuned_rows):
        assert line.value in text
    assert "Tuning leaves the order" in text


def test_each_entry_is_told_what_it_was_given(result: Result, tmp_path: Path) -> None:
    budget = list_budgets(result.tuned_rows)[0]
    assert budget["points tried"] == "12"
    assert budget["training runs"] == "30"
    assert budget["epochs"] == "90"
    assert budget["seconds"] == "15.0"
    curve, best = result.tuned_rows[0].how.curve, list_milestones(result.tuned_rows)[0]
    assert best["best of 3"].startswith(f"{curve[2].median:.3f} (? to ")
    assert best.keys() == {"best of 3", "best of 10"}, "of twelve trials"
    assert float(budget["sd between studies"]) >= 0
    one = make_tuned_result(tmp_path, studies=1, models=("v0",))
    assert "sd between studies" not in list_budgets(one.tuned_rows)[0]
    assert one.document.tuning.order == ""


def test_the_page_names_all_that_can_be_tuned_with_its_range() -> None:
    page = (Path(__file__).parent.parent / "docs" / "tuning.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)`[^|]* \| (\S+) to (\S+)[^|]* \| (log|lin)", page, re.MULTILINE)
    found = {name: (scale, low, high) for name, low, high, scale in rows}
    assert found == {
        name: (each.scale[:3], "1/32" if each.relative else f"{each.low:g}", f"{each.high:g}")
        for name, each in SEARCHED.items()
    }


def test_the_protocol_names_the_space_and_what_intervals_hold() -> None:
    ranges = {
        "learning_rate": Range("log", 1 / 32, 32, relative=True),
        "label_smoothing": Range("linear", 0, 0.2),
    }
    once = describe_protocol(Tuning(ranges=ranges))
    assert "learning rate from 1/32 to 32 times the recipe’s" in once[0]
    assert "label smoothing from 0 to 0.2, evenly" in once[0]
    assert "given these settings" in once[-1]
    again = describe_protocol(Tuning(ranges=ranges, studies=3, widened=(("learning_rate", "low"),)))
    assert "3 studies chose independently, each among 5 points of its own" in again[-1]
    assert "learning rate (low)" in again[1]


@pytest.mark.slow
def test_the_page_shows_all_of_it(result: Result) -> None:
    write_report(result)
    page = (result.folder / "report.html").read_text("utf-8")
    plain = (result.folder / "report.md").read_text("utf-8")
    for line in list_gains(result.tuned_rows):
        assert f"<td>{line.interval}</td>" in page
        assert f"| {line.name} | {line.row} | {line.value} | {line.interval} |" in plain
    for figure in TUNING_FIGURES.values():
        assert f"<h3>{figure.title}</h3>" in page
    assert "everything else at its default" in page
    assert len(re.findall("<h2>What tuning gave</h2>", page)) == 1
    ids = re.findall(r'\bid="(.*?)"', page)
    assert len(ids) == len(set(ids))
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL).lower()
    assert result.is_reported
