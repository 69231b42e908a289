"""A comparison in a sentence or two, no surer than the numbers are."""

from fashionbench.config.study import Vary
from fashionbench.report.comparison import Comparison
from fashionbench.report.document import EntrySummary
from fashionbench.report.entries import Entry, Pair
from fashionbench.report.numbers import VARIED, format_percent, with_minus
from fashionbench.report.tuned import TUNED

__all__ = ["compose_headline"]


def compose_headline(comparison: Comparison) -> str:
    """Say which entry has the highest mean, and whether it differs from the next."""
    # Where entries were tuned, what each can do is what is asked.
    asked = [row for row in comparison.rows if row[0].entry.tuned] or comparison.rows
    (first, summary), *others = asked
    best = first.entry
    said = _say_accuracy(comparison, best, summary)
    second = others[0][0].entry if others else best
    two = {id(best), id(second)}
    pair = next(
        (pair for pair in comparison.pairs if {id(pair.first), id(pair.second)} == two), None
    )
    if pair is None:  # alone, or stopped before the two had a seed in common
        return f"{said}."
    points = f"{100 * abs(pair.found.difference):.2f} points"
    said += f", {points} more than {_name_second(comparison, best, second)}"
    return said + _say_verdict(pair, best, comparison.study.vary)


def _say_accuracy(comparison: Comparison, best: Entry, summary: EntrySummary) -> str:
    varies = comparison.recipes_vary
    name = _name_with_recipe(comparison, best) if varies else comparison.short_model(best)
    seeds = summary.accuracy.n
    runs = "one seed" if seeds == 1 else f"mean of {seeds} seeds"
    if comparison.study.vary != "all" and seeds > 1:
        runs += f" that vary {VARIED[comparison.study.vary]} alone"
    accuracy, on = format_percent(summary.accuracy.mean), ""
    if splits := summary.over_splits:
        on = f" on the official split, and {format_percent(splits.mean)} % on {splits.n} dealt anew"
    said = f"{name} gets {accuracy} % of the test images right ({runs}{on})"
    if summary.accuracy_one_by_one.n:
        alone = format_percent(summary.accuracy_one_by_one.mean)
        said += f", but {alone} % when they are shown one at a time"
    return said


def _name_second(comparison: Comparison, best: Entry, second: Entry) -> str:
    """Name the second entry by what is unlike the first: its model, its recipe or both."""
    first, other = (comparison.short_model(entry) for entry in (best, second))
    if not comparison.recipes_vary:
        return other
    named = _name_with_recipe(comparison, second)
    return named.removeprefix(f"{first} ") if other == first else named


def _name_with_recipe(comparison: Comparison, entry: Entry) -> str:
    name = comparison.short_model(entry)
    if len(comparison.study.recipes) == 1:
        return f"{name} {TUNED}" if entry.tuned else name
    return f"{name} with the recipe “{comparison.short_recipe(entry)}”"


def _say_verdict(pair: Pair, best: Entry, vary: Vary) -> str:
    found = pair.found
    if found.p_value is None:
        return "; these runs cannot tell whether that is more than luck."
    sign = 100 if pair.first is best else -100
    low, high = sorted(sign * end for end in pair.interval)
    interval = with_minus(f"95 % interval of the difference {low:z.2f} to {high:z.2f}")
    if pair.verdict.word not in ("better", "worse"):
        return f". {_say_undecided(pair)} ({interval})."
    place = str(pair.verdict).removeprefix(pair.verdict.word)
    luck = "seeds" if vary == "all" else VARIED[vary]
    luck += " and of the choice of settings" if pair.verdict.unit == "studies" else ""
    p_value = f"p = {found.p_value:.2g}"
    return f": more than the luck of {luck} explains{place} ({interval}; {p_value})."


def _say_undecided(pair: Pair) -> str:
    if pair.verdict.word == "no difference":
        return f"There is {pair.verdict}"
    needed = pair.verdict.seeds_needed
    could = f"; about {needed} could" if needed else ""
    return f"{pair.found.n} {pair.verdict.unit} cannot decide whether that is luck{could}"
