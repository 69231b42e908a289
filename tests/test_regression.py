"""Whether models are still as accurate as before: pass, fail, cannot tell."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from factories import CLASSES, LABELS, make_result

from fashionbench.errors import UsageError
from fashionbench.report.comparison import Comparison
from fashionbench.report.entries import Entry
from fashionbench.report.regression import OUTCOMES, check_against, worst_outcome
from fashionbench.store.records import RunRecord


def with_accuracy(result: Comparison, entry: int, shares: list[float]) -> Comparison:
    """The same comparison, in which the runs of a row are right about these shares of images."""
    runs = []
    for run, share in zip(result.entries[entry].runs, shares, strict=True):
        wrong = np.arange(len(LABELS)) >= round(share * len(LABELS))
        predicted = np.where(wrong, (LABELS + 1) % len(CLASSES), LABELS).astype(np.uint8)
        runs.append(replace(run, predicted=predicted))
    rows = [*result.entries]
    rows[entry] = replace(rows[entry], runs=tuple(runs))
    return replace(result, entries=tuple(rows))


def compare(tmp_path: Path, before: list[float], now: list[float], margin: float = 0.02):
    result = make_result(tmp_path, models=("v0",), seeds=len(before))
    old, new = (with_accuracy(result, 0, shares) for shares in (before, now))
    return check_against(new, old, margin)[0]


STEADY = [0.8, 0.81, 0.79, 0.8, 0.8]


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        ([0.8, 0.81, 0.79, 0.805, 0.795], "pass"),
        ([0.9, 0.9, 0.9, 0.9, 0.91], "pass"),
        ([0.7, 0.71, 0.69, 0.7, 0.705], "fail"),
        ([0.7, 0.9, 0.8, 0.75, 0.85], "cannot tell"),
        ([0.78, 0.79, 0.77, 0.785, 0.775], "cannot tell"),  # as large as the margin
    ],
)
def test_the_interval_and_the_margin_decide(tmp_path: Path, now: list[float], outcome: str) -> None:
    found = compare(tmp_path, STEADY, now)
    assert found.outcome == outcome
    assert found.difference == pytest.approx(np.mean(now) - np.mean(STEADY), abs=0.003)


def test_the_same_predictions_pass_whatever_the_seeds(tmp_path: Path) -> None:
    found = compare(tmp_path, [0.8, 0.7], [0.8, 0.7])
    assert (found.outcome, found.identical) == ("pass", True)
    assert "every prediction is the same" in str(found)


def test_a_tuned_row_is_judged_by_its_studies(tuned_result: Comparison) -> None:
    """Runs of one study share its choice, so they are no independent witnesses."""
    (row,) = (n for n, e in enumerate(tuned_result.entries) if e.tuned and e.model == "v0")
    seeds = [run.job.seed for run in tuned_result.entries[row].runs]
    shares = [0.70, 0.60, 0.65, 0.72, 0.61, 0.66]
    old = with_accuracy(tuned_result, row, [0.8] * len(seeds))
    found = check_against(with_accuracy(tuned_result, row, shares), old, 0.02)
    assert len(found) == len(tuned_result.entries)
    (tuned,) = (each for each in found if not each.identical)
    changes = np.round(np.array(shares) * len(LABELS)) / len(LABELS) - 0.8
    studies = [changes[[seed % 3 == k for seed in seeds]].mean() for k in range(3)]
    interval = scipy.stats.t.interval(
        1 - 0.05 / len(found), 2, np.mean(studies), scipy.stats.sem(studies)
    )
    np.testing.assert_allclose([tuned.low, tuned.high], interval)


def test_of_merged_models_of_one_name_each_is_compared_with_its_own(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0",), seeds=5)
    sound, spoilt = (with_accuracy(result, 0, [share] * 5).entries[0] for share in (0.8, 0.5))
    rows = tuple(map(with_source, (sound, spoilt), ("aa", "bb")))
    models = {
        "models": ("v0", "v0"),
        "model_sources": ("aa", "bb"),
        "origins": ("runs/a", "runs/b"),
    }
    study = result.study.model_copy(update=models)
    old = replace(result, study=study, entries=rows)
    new = replace(old, entries=tuple(reversed(rows)))
    assert [each.identical for each in check_against(new, old, 0.02)] == [True, True]


def with_source(entry: Entry, source: str) -> Entry:
    def change(run: RunRecord) -> RunRecord:
        return replace(run, job=run.job.model_copy(update={"model_source": source}))

    return replace(entry, runs=tuple(map(change, entry.runs)))


def test_one_seed_cannot_tell(tmp_path: Path) -> None:
    found = compare(tmp_path, [0.8], [0.5])
    assert found.outcome == "cannot tell"
    assert "two seeds or more would tell" in str(found)


def test_a_true_loss_of_the_margin_passes_in_one_of_twenty_at_most() -> None:
    """On seeds whose differences are normal with a mean of minus the margin."""
    from fashionbench.report.regression import _judge
    from fashionbench.stats.spread import Spread

    rng, passed, tries = np.random.default_rng(0), 0, 4000
    for values in rng.normal(-0.01, 0.01, (tries, 5)):
        half = Spread(tuple(values), 0.0, sequential=False).over_seeds(0.05)
        mean = values.mean()
        passed += _judge(mean - half, mean + half, 0.01, identical=False) == "pass"
    assert passed / tries < 0.025 + 4 * (0.025 / tries) ** 0.5  # one end of the interval


def test_the_worst_decides() -> None:
    assert [*OUTCOMES] == ["fail", "cannot tell", "pass"]
    assert [*OUTCOMES.values()] == [1, 3, 0]


def test_other_data_and_another_protocol_are_refused(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0",), seeds=2)
    other = replace(result, test_set=replace(result.test_set, labels=(LABELS + 1) % 10))
    with pytest.raises(UsageError, match="are on other data"):
        check_against(result, other, 0.01)
    newer = replace(result, study=result.study.model_copy(update={"protocol": 9}))
    with pytest.raises(UsageError, match=r"by protocol 9, .* by 2: the same run gives other"):
        check_against(newer, result, 0.01)
    stranger = make_result(tmp_path / "b", models=("mlp",), seeds=2)
    with pytest.raises(UsageError, match="no model with the same recipe in common"):
        check_against(result, stranger, 0.01)


def test_a_model_goes_by_the_name_that_both_reports_show(tmp_path: Path) -> None:
    """Its file may be elsewhere, and a person may have called it something."""
    moved = make_result(tmp_path / "a", models=("now/net.py:Net", "v0"), seeds=2)
    before = make_result(tmp_path / "b", models=("net.py:Net", "v0"), seeds=2)
    assert [each.name for each in check_against(moved, before, 0.01)] == ["net.py:Net", "v0"]
    named, other = (
        make_result(tmp_path / module, models=(f"{module}:Net",), called=("mine",), seeds=2)
        for module in ("c", "d")
    )
    assert [each.name for each in check_against(named, other, 0.01)] == ["mine"]


def test_models_that_only_one_of_the_two_has_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new = make_result(tmp_path / "new", models=("v0", "v1"), seeds=2)
    old = make_result(tmp_path / "old", models=("v0", "v2", "mlp"), seeds=2)
    assert [each.name for each in check_against(new, old, 0.01)] == ["v0"]
    assert caplog.messages == [
        f"Only in {new.folder}, so not checked: v1.",
        f"Only in {old.folder}, so not checked: v2, mlp.",
    ]


def test_several_models_are_judged_together(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0", "v1"), seeds=5)
    old = with_accuracy(with_accuracy(result, 0, STEADY), 1, STEADY)
    worse = with_accuracy(old, 1, [share - 0.1 for share in STEADY[::-1]])
    checked = check_against(worse, old, 0.02)
    assert [each.outcome for each in checked] == ["pass", "fail"]
    assert worst_outcome(checked) == "fail"
