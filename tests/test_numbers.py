"""Numbers are written for people, the same everywhere."""

from dataclasses import replace
from pathlib import Path

from factories import make_result

from fashionbench.report.numbers import (
    format_count,
    format_percent,
    format_points,
    format_probability,
    format_seconds,
    format_seconds_range,
    format_size,
)


def test_large_numbers_have_three_digits() -> None:
    assert [format_count(n) for n in (950, 15_880, 999_700, 2_267_720, 8_028_398_592)] == [
        "950",
        "15.9 k",
        "1 M",
        "2.27 M",
        "8.03 G",
    ]


def test_no_zero_has_a_minus() -> None:
    assert format_percent(-0.00004) == "0.00"
    assert [format_points(value) for value in (-0.00004, -0.01)] == ["+0.00", "−1.00"]
    assert format_points(0.01) == "+1.00"


def test_no_probability_is_called_certain_that_is_not() -> None:
    written = [format_probability(p) for p in (0.0, 0.005, 0.0051, 0.5, 0.994, 0.995, 1.0)]
    assert written == ["0", "< 1", "1", "50", "99", "> 99", "100"]


def test_one_point_is_no_plural() -> None:
    written = [format_size(size) for size in (0.01, 0.002, 0.0125)]
    assert written == ["1 point", "0.2 points", "1.25 points"]


def test_training_times_are_a_median_and_how_far_they_spread(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0",))
    (entry,) = result.entries

    def written(*times: float | None) -> tuple[str, str]:
        runs = (replace(r, train_seconds=t) for r, t in zip(entry.runs, times, strict=True))
        summary = replace(entry, runs=tuple(runs)).summarize(result.test_set)
        return format_seconds(summary), format_seconds_range(summary)

    assert written(9.0, 2.0, 4.0) == ("4.00", "4.00 (2.00–9.00; 3)")
    assert written(None, 2.0, 4.0) == ("3.00 (2)", "3.00 (2.00–4.00; 2)")
    assert written(None, None, 4.0) == ("4.00 (1)", "4.00 (1)")
    assert written(None, None, None) == ("–", "–")
