"""Pairs of entries, judged together."""

from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_result
from scipy import stats as scipy_stats

from fashionbench.report.entries import Entry
from fashionbench.report.page import write_report
from fashionbench.report.terminal import build_entry_table
from fashionbench.stats.difference import difference, holm
from fashionbench.stats.probabilities import find_probabilities
from fashionbench.stats.sequential import confidence_sequence, seeds_needed


def test_what_is_said_of_pairs_holds_for_all_of_them_together(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    tests = [
        scipy_stats.ttest_rel(pair.first.accuracies, pair.second.accuracies)
        for pair in result.pairs
    ]
    for pair, test in zip(result.pairs, tests, strict=True):
        # Holm's definition for three p-values.
        steps = [(3 - rank) * p for rank, p in enumerate(sorted(t.pvalue for t in tests))]
        rank = sum(other.pvalue < test.pvalue for other in tests)
        assert pair.found.p_value == pytest.approx(min(1, max(steps[: rank + 1])))
        ends = test.confidence_interval(1 - 0.05 / 3)
        assert pair.found.limit == pytest.approx(max(-ends.low, ends.high))
    labels = result.test_set.labels
    alone = [
        difference(p.first.mark_correct(labels), p.second.mark_correct(labels))
        for p in result.pairs
    ]
    adjusted = [pair.found.p_value_other_test_images for pair in result.pairs]
    assert adjusted == holm([found.p_value_other_test_images for found in alone])


def test_seeds_added_after_looking_are_judged_and_promised_so(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0",), seeds=5)
    (entry,) = result.entries
    predicted = [run.predicted for run in entry.runs]

    def turned(by: int) -> Entry:
        """The same runs, each under another one's seed."""
        moved = zip(entry.runs, predicted[by:] + predicted[:by], strict=True)
        return replace(entry, runs=tuple(replace(run, predicted=other) for run, other in moved))

    study = result.study.model_copy(update={"until": 0.01})
    for pair in replace(result, study=study, entries=tuple(map(turned, range(3)))).pairs:
        assert pair.found.difference == pytest.approx(0)
        assert pair.found.seeds_high == pytest.approx(confidence_sequence(5, pair.found.sd))
        needed = seeds_needed(0.01, pair.found.sd, 0.05 / 3, sequential=True)
        assert pair.verdict.seeds_needed == needed


def test_pairs_rest_on_the_seeds_that_both_have_finished(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    one, other = result.entries[:2]
    unlike = (replace(one, runs=one.runs[:2]), replace(other, runs=other.runs[1:]))
    partial = replace(result, entries=unlike)
    [pair] = partial.document.pairs
    assert pair.n == 1
    gap = one.runs[1].scores.accuracy - other.runs[1].scores.accuracy
    assert pair.difference == pytest.approx(gap)


@pytest.mark.slow
def test_entries_without_a_seed_in_common_are_no_pair(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    one, other, third = result.entries
    unlike = (replace(one, runs=one.runs[:1]), replace(other, runs=other.runs[1:]), third)
    partial = replace(result, entries=unlike)
    names = {frozenset((pair.a, pair.b)) for pair in partial.document.pairs}
    assert frozenset((one.model, other.model)) not in names
    assert len(names) == 2
    alone = replace(result, entries=unlike[:2])
    write_report(alone)
    build_entry_table(alone)
    assert alone.document.pairs == []


def test_one_run_each_is_compared_by_mcnemar_and_nothing_is_claimed(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=1)
    for pair in result.document.pairs:
        assert pair.verdict == "not decided"
        assert (pair.p_value, pair.low, pair.seeds_needed) == (None, None, None)
        assert 0 <= pair.mcnemar_p_value <= 1
    assert any("McNemar" in warning for warning in result.warnings)


@pytest.mark.parametrize("until", [None, 0.002])
def test_the_probabilities_of_a_pair_are_of_the_smallest_difference_of_interest(
    until: float | None, tmp_path: Path
) -> None:
    result = make_result(tmp_path, until=until)
    smallest = until or 0.01
    assert result.document.smallest_difference == smallest
    for pair, summary in zip(result.pairs, result.document.pairs, strict=True):
        assert pair.probabilities == find_probabilities(pair.found, smallest)
        assert vars(summary.probabilities) == vars(pair.probabilities)
        again = find_probabilities(pair.turned().found, smallest)
        assert vars(pair.turned().probabilities) == pytest.approx(vars(again))
    alone = make_result(tmp_path / "one seed", seeds=1)
    assert {pair.probabilities for pair in alone.document.pairs} == {None}
