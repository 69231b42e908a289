"""The terminal's table: complete, narrow enough, and saying what the document says."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_result, make_tuned_result
from rich.console import Console

from fashionbench.experiments.result import Result
from fashionbench.report.comparison import MANY_PAIRS
from fashionbench.report.numbers import format_interval
from fashionbench.report.terminal import build_entry_table, build_pair_table


def printed(result: Result) -> list[list[str]]:
    """The cells of the rows under title and headings."""
    console = Console(width=200, file=io.StringIO())
    console.print(build_entry_table(result))
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()[2:]]


def test_a_row_says_what_the_document_says(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    rows = printed(result)
    entries = sorted(result.document.entries, key=lambda entry: -entry.accuracy.mean)
    for row, entry in zip(rows, entries, strict=True):
        accuracy = entry.accuracy
        assert row[0] == entry.model
        assert float(row[1]) == pytest.approx(100 * accuracy.mean, abs=0.005)
        ends = [100 * accuracy.low, 100 * accuracy.high]
        assert [float(row[2]), float(row[4])] == pytest.approx(ends, abs=0.005)
        assert float(row[5]) == pytest.approx(100 * accuracy.sd, abs=0.005)
        assert float(row[6]) == pytest.approx(entry.loss.mean, abs=0.0005)
        assert int(row[-1]) == accuracy.n


@pytest.mark.parametrize("tuned", [False, True])
@pytest.mark.parametrize("validated", [False, True])
def test_it_fits_80_columns(validated: bool, tuned: bool, tmp_path: Path) -> None:
    result = make_tuned_result(tmp_path, studies=1) if tuned else make_result(tmp_path)
    if validated:
        entries = (
            replace(
                entry,
                runs=tuple(
                    replace(run, validation_curve=run.epochs * [(1, 0.3, 0.9032)])
                    for run in entry.runs
                ),
            )
            for entry in result.entries
        )
        result = replace(result, entries=tuple(entries))
    table = build_entry_table(result)
    headings = [str(column.header) for column in table.columns]
    assert ("valid. %" in headings) == validated
    assert ("recipe" in headings) == tuned
    assert {"accuracy %", "95 % interval", "parameters", "n"} < {*headings}
    assert Console(width=80, file=io.StringIO()).measure(table).maximum <= 80


def test_recipes_have_a_column_where_they_differ(tmp_path: Path) -> None:
    result = make_result(tmp_path, epochs=(1, 2))
    headings = [str(column.header) for column in build_entry_table(result).columns]
    assert headings[:2] == ["model", "recipe"]
    assert build_entry_table(result).row_count == len(result.entries)


def test_what_all_recipes_were_given_stands_above_the_table_once(tmp_path: Path) -> None:
    result = make_result(tmp_path, epochs=(1, 2))
    names = ("default batch_size=16 epochs=1", "default batch_size=16 epochs=2")
    entries = tuple(
        replace(entry, recipe=names[entry.runs[0].epochs - 1]) for entry in result.entries
    )
    shared = (("batch_size", "16"),)
    recipes = tuple(
        recipe.model_copy(update={"overrides": (*shared, ("epochs", f"{recipe.epochs}"))})
        for recipe in result.study.recipes
    )
    study = result.study.model_copy(update={"recipes": recipes})
    table = build_entry_table(replace(result, study=study, entries=entries))
    assert str(table.title).endswith(" · batch_size=16")
    assert {str(cell) for cell in table.columns[1].cells} == {
        "default epochs=1",
        "default epochs=2",
    }


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=1)
    assert [row[2:4] for row in printed(result)] == [["–", "–"]] * len(result.entries)
    assert format_interval(result.document.entries[0].accuracy) == "–"


def cells(result: Result, heading: str) -> list[str]:
    """A column of the table of pairs."""
    (found,) = (column for column in build_pair_table(result).columns if column.header == heading)
    return [str(cell) for cell in found.cells]


def test_every_pair_has_its_row(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    pairs = [pair.summarize() for pair in result.shown_pairs]
    assert len(pairs) == len(result.pairs)
    assert cells(result, "first") == [pair.a for pair in pairs]
    assert cells(result, "second") == [pair.b for pair in pairs]
    points = [float(cell.replace("−", "-")) for cell in cells(result, "points")]
    assert points == pytest.approx([100 * pair.difference for pair in pairs], abs=0.005)
    for cell, pair in zip(cells(result, "verdict on the first"), pairs, strict=True):
        assert cell == pair.in_words


def test_of_many_pairs_those_of_the_best_are_shown(tmp_path: Path) -> None:
    result = make_result(tmp_path, epochs=(1, 2, 3))
    assert len(result.pairs) > MANY_PAIRS
    shown = list(zip(cells(result, "first"), cells(result, "second"), strict=True))
    best = max(result.entries, key=lambda entry: sum(entry.accuracies))
    assert len(shown) == len(result.entries) - 1
    assert all(result.name(best) == first for first, _ in shown)
    assert f"all {len(result.pairs)}" in str(build_pair_table(result).title)


def test_a_narrow_terminal_folds_names_and_cuts_no_digit(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    console = Console(width=40, file=io.StringIO(), record=True)
    console.print(build_entry_table(result), crop=False)
    shown = console.export_text()
    assert "…" not in shown
    for entry in result.document.entries:
        assert f"{100 * entry.accuracy.mean:.2f}" in shown
        assert f"{entry.parameters:,}" in shown


def test_a_long_name_cuts_no_column_of_a_terminal_of_80(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("my_own_network.py:MyNet", "v0"))
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(build_entry_table(result))
    first_row = console.export_text().splitlines()[2]
    assert first_row.split()[-1] == "3", "the number of seeds, in the last column"
