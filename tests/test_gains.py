"""An entry as it is stands beside itself tuned, and what is said of both is what the runs say."""

from pathlib import Path

import numpy as np
import pytest
from factories import make_tuned_result
from scipy import stats as scipy_stats

from fashionbench.experiments.result import Result
from fashionbench.report.headline import compose_headline
from fashionbench.report.warnings import find_warnings


@pytest.fixture
def result(tuned_result: Result) -> Result:
    return tuned_result


def test_every_entry_stands_there_as_it_is_and_tuned(result: Result) -> None:
    assert [result.name(entry) for entry in result.entries] == [
        "v0",
        "v0 tuned",
        "v1",
        "v1 tuned",
    ]
    assert result.find_entry("v0", "tuned") is result.entries[1]
    assert result.find_entry("v0", "as it is") is result.entries[0]
    assert [row.name for row in result.tuned_rows] == ["v0", "v1"]


def test_like_is_compared_with_like(result: Result) -> None:
    assert [(pair.a, pair.b) for pair in result.pairs] == [
        ("v0", "v1"),
        ("v0 tuned", "v1 tuned"),
        ("v0 tuned", "v0"),
    ], "v1 stays as it is, so that it has no gain to judge"


def test_a_gain_is_the_mean_over_studies(result: Result) -> None:
    as_it_is, tuned = result.entries[:2]
    gains = np.subtract(tuned.accuracies, as_it_is.accuracies).reshape(2, 3).mean(axis=0)
    found = result.pairs[-1].found
    assert found.difference == pytest.approx(gains.mean())
    assert found.p_value == pytest.approx(scipy_stats.ttest_1samp(gains, 0).pvalue)
    summary = result.document.tuning.entries[0]
    assert summary.gain.mean == found.difference
    assert (summary.gain.low, summary.gain.high) == result.pairs[-1].interval
    kept = result.document.tuning.entries[1].gain
    assert (kept.mean, kept.low, kept.in_words) == (0, None, "the recipe stays as it is")


def test_the_interval_of_a_tuned_row_is_over_studies(result: Result) -> None:
    tuned = result.document.entries[1].accuracy
    means = np.reshape(result.entries[1].accuracies, (2, 3)).mean(axis=0)
    half = scipy_stats.t.ppf(0.975, 2) * scipy_stats.sem(means)
    mean = means.mean()
    # On the scale of logits, as all intervals of accuracies.
    ends = [np.log(mean / (1 - mean)) + sign * half / (mean * (1 - mean)) for sign in (-1, 1)]
    assert [tuned.low, tuned.high] == pytest.approx([1 / (1 + np.exp(-end)) for end in ends])
    assert tuned.n == 6


def test_verdicts_say_what_they_are_about(result: Result, tmp_path: Path) -> None:
    open_pair = result.document.pairs[1]
    assert (open_pair.unit, open_pair.n, open_pair.given_settings) == ("studies", 3, False)
    assert open_pair.in_words.endswith("studies would decide")
    assert "3 studies cannot decide" in compose_headline(result)
    one = make_tuned_result(tmp_path, studies=1)
    gain = one.document.pairs[-1]
    assert (gain.unit, gain.n, gain.given_settings) == ("seeds", 6, True)
    assert gain.in_words == "better given these settings"
    assert one.document.pairs[0].in_words == "worse", "nothing was chosen there"


def test_the_order_is_that_of_the_means(result: Result, tmp_path: Path) -> None:
    def say(result: Result) -> str:
        return result.document.tuning.order

    assert say(result).startswith("Tuning leaves the order of the means as it was: v0 < v1.")
    assert "v0 against v1 (worse as they are, not decided when tuned)" in say(result)
    assert not result.document.tuning.order_changed
    changed = make_tuned_result(tmp_path, studies=1)
    means = [np.mean(entry.accuracies) for entry in changed.entries]
    assert means[0] < means[2], means[1] > means[3]
    assert say(changed).startswith(
        "Tuning changes the order of the means: v0 < v1 as they are, v1 < v0 when tuned."
    )
    assert changed.document.tuning.order_changed


def test_a_choice_at_the_edge_is_warned_of(result: Result, tmp_path: Path) -> None:
    def edges(result: Result) -> list[str]:
        return [text for text in find_warnings(result) if "edge of what was searched" in text]

    beyond = make_tuned_result(tmp_path / "beyond", best=1e-4)
    assert beyond.document.tuning.entries[0].at_edge == ["learning_rate low"]
    assert edges(beyond)[0].startswith("v0 tuned:")
    within = make_tuned_result(tmp_path / "within", best=0.05, studies=1)
    assert edges(within) == []


def test_an_interrupted_tuning_shows_what_is_finished(tmp_path: Path) -> None:
    result = make_tuned_result(tmp_path, tune_only=("v1",))
    assert [result.name(entry) for entry in result.entries] == ["v0", "v1", "v1 tuned"]
    assert "Only 18 of the 24 runs" in find_warnings(result)[0]
    assert [row.name for row in result.tuned_rows] == ["v1"]
