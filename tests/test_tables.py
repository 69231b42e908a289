"""What is taken away: CSV that holds the numbers, LaTeX that compiles, Markdown that renders."""

import csv
import re
from pathlib import Path

import pytest
from factories import make_result

from fashionbench.errors import UsageError
from fashionbench.report.tables import format_csv, format_table, list_entries, list_pairs


def test_the_summary_has_a_row_for_each_model_with_all_its_numbers(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    rows = list(csv.DictReader(format_csv(list_entries(result)).splitlines()))
    for row, (_, entry) in zip(rows, result.rows, strict=True):
        assert row["model"] == entry.model
        for part in ("mean", "sd", "low", "high"):
            assert float(row[f"accuracy_{part}"]) == getattr(entry.accuracy, part)
        assert float(row["train_seconds_median"]) == entry.train_seconds.median
        assert int(row["outcomes_ok"]) == 3
    assert not any("runs" in column for column in rows[0])


def test_the_file_of_pairs_has_all_of_them(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0", "v1", "v2", "mlp", "vit", "vgg"), seeds=2)
    rows = list(csv.DictReader(format_csv(list_pairs(result)).splitlines()))
    assert len(rows) == len(result.pairs) == 15
    for row, pair in zip(rows, result.pairs, strict=True):
        assert (row["a"], row["b"], row["in_words"]) == (pair.a, pair.b, str(pair.verdict))


def test_markdown_and_latex_have_the_same_cells(tmp_path: Path) -> None:
    result = make_result(tmp_path, epochs=(1, 2))
    markdown = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in format_table(result, "markdown").splitlines()
    ]
    body = re.findall(r"^ +(.*) \\\\$", format_table(result, "latex"), re.MULTILINE)
    latex = [
        [re.sub(r"\\([%&_#])", r"\1", cell).replace("--", "–") for cell in line.split(" & ")]
        for line in body
    ]
    assert latex == [markdown[0], *markdown[2:]]
    assert len(latex) == 1 + len(result.entries)


def test_what_latex_would_take_as_its_own_is_escaped(tmp_path: Path) -> None:
    text = format_table(
        make_result(tmp_path, models=("a/my_net.py:Net:note=50%&~{x}", "v0")), "latex"
    )
    assert r"my\_net.py:Net:note=50\%\&\textasciitilde{}\{x\}" in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    for rule in ("toprule", "midrule", "bottomrule"):
        assert rf"\{rule}" in text


def test_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no table 'word'; there are latex, markdown, csv"):
        format_table(make_result(tmp_path, seeds=1), "word")
