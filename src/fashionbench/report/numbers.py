"""How numbers are written for people: in tables, in the page and in sentences."""

from collections.abc import Mapping
from typing import Protocol

from fashionbench.config.study import Vary
from fashionbench.report.document import (
    EntrySummary,
    NumberSummary,
    PairSummary,
    RatioSummary,
    SplitsSummary,
)

__all__ = [
    "VARIED",
    "format_count",
    "format_interval",
    "format_mean",
    "format_number",
    "format_percent",
    "format_places",
    "format_points",
    "format_probability",
    "format_seconds",
    "format_seconds_range",
    "format_seconds_spread",
    "format_size",
    "format_time_ratio",
    "format_verdict_interval",
    "pluralize",
    "with_minus",
]


VARIED: Mapping[Vary, str] = {
    "all": "all that is random",
    "weights": "the first weights",
    "order": "the order of the images",
    "augmentation": "the augmentation",
}
"""What seeds vary, in words."""


class Interval(Protocol):
    """What has two ends, both None where too few seeds give it."""

    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def with_minus(number: str) -> str:
    """Write a number's hyphen as the minus sign that it means."""
    return number.replace("-", "\N{MINUS SIGN}")


def format_percent(value: float | None) -> str:
    """Write a fraction in percent; an en dash where there is none."""
    return "–" if value is None else with_minus(f"{100 * value:z.2f}")


def format_points(difference: float) -> str:
    """Write a difference of accuracies in percentage points, with its sign."""
    return with_minus(f"{100 * difference:+z.2f}")


def format_size(difference: float) -> str:
    """Write a difference of accuracies as a size, such as 0.5 points."""
    size = f"{100 * difference:.4g}"
    return f"{size} point" if size == "1" else f"{size} points"


def format_probability(value: float) -> str:
    """Write a probability in whole percent, which are 0 and 100 only where it is 0 or 1."""
    if 0 < value <= 0.005:
        return "< 1"
    return "> 99" if 0.995 <= value < 1 else f"{100 * value:.0f}"


def format_number(value: float | None, digits: int = 3) -> str:
    """Write a number to `digits` decimals; an en dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def format_mean(found: NumberSummary | SplitsSummary | None) -> str:
    """Write a mean in percent; an en dash where there is none."""
    return format_percent(None if found is None else found.mean)


def format_interval(interval: Interval | None) -> str:
    """Write an interval in percent or points; an en dash where one seed cannot give it."""
    if interval is None or interval.low is None:
        return "–"
    return f"{format_percent(interval.low)} to {format_percent(interval.high)}"


def format_verdict_interval(pair: PairSummary) -> str:
    """Write the interval that a verdict is read from; an en dash where one seed cannot give it."""
    if pair.verdict_low is None:
        return "–"
    return f"{format_percent(pair.verdict_low)} to {format_percent(pair.verdict_high)}"


def format_seconds(entry: EntrySummary) -> str:
    """Write the median training time, and of how many runs it is, where that is not all."""
    timed = entry.train_seconds
    written = format_number(timed.median, 2)
    return written if timed.n in (0, entry.accuracy.n) else f"{written} ({timed.n})"


def format_seconds_range(entry: EntrySummary) -> str:
    """Write the median training time, the fastest and slowest run, and how many were timed."""
    spread = format_seconds_spread(entry)
    return f"{format_number(entry.train_seconds.median, 2)} ({spread})" if spread else "–"


def format_seconds_spread(entry: EntrySummary) -> str:
    """Write the fastest and slowest training time, and how many runs were timed; empty if none."""
    timed = [run.train_seconds for run in entry.runs if run.train_seconds is not None]
    spread = f"{min(timed):.2f}–{max(timed):.2f}; " if len(timed) > 1 else ""
    return f"{spread}{len(timed)}" if timed else ""


def format_time_ratio(ratio: RatioSummary | None) -> str:
    """Write how many times as long, with its interval; an en dash where too few runs tell."""
    if ratio is None:
        return "–"
    return f"{ratio.ratio:.2f}× ({ratio.low:.2f} to {ratio.high:.2f})"


def format_count(count: int | None) -> str:
    """Write a large number to three digits, such as 2.27 M; an en dash where it is not known."""
    if count is None:
        return "–"
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * factor:  # which three digits round up to it
            return f"{count / factor:.3g} {prefix}"
    return str(count)


def pluralize(count: int, noun: str) -> str:
    """Write a number and its noun, with an s where it is not one."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def format_places(first: int, last: int | None) -> str:
    """Write the places that are possible, such as 2nd to 4th."""
    if last is None or first == last:
        return _ordinal(first)
    return f"{_ordinal(first)} to {_ordinal(last)}"


def _ordinal(place: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{'th' if place % 100 in (11, 12, 13) else ending}"
