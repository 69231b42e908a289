"""What a reader must know is said of the model that it concerns, once, with the remedy."""

from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_result, make_tuned_result

from fashionbench.experiments.result import Result
from fashionbench.report.page import write_report
from fashionbench.report.terminal import build_entry_table, build_pair_table
from fashionbench.stats.metrics import Ties


def changed(result: Result, model: str, **facts: object) -> Result:
    """The result as if the runs of a model had these facts."""
    entries = tuple(
        replace(entry, runs=tuple(replace(run, **facts) for run in entry.runs))
        if entry.model == model
        else entry
        for entry in result.entries
    )
    return replace(result, entries=entries)


def shown(result: Result) -> str:
    from rich.console import Console

    console = Console(width=200)
    with console.capture() as capture:
        console.print(build_entry_table(result))
        console.print(build_pair_table(result))
    return capture.get()


@pytest.mark.slow
def test_seeds_that_begin_alike_are_told_in_table_verdict_and_report(tmp_path: Path) -> None:
    plain = make_result(tmp_path, seeds=8)
    result = changed(plain, "v1", first_weights="aaaa")
    assert not any("begin with the same weights" in text for text in plain.warnings)
    (warning,) = [text for text in result.warnings if "begin with the same weights" in text]
    assert warning.startswith("v1: ")
    assert "manual_seed" in warning
    assert "one start" in shown(result)
    assert "one start" not in shown(plain)
    for pair in result.pairs:
        concerned = "v1" in (pair.a, pair.b)
        assert ("from these first weights" in str(pair.verdict)) == concerned
        assert pair.summarize().holds_for_other_first_weights == (not concerned)
    entries = {entry.model: entry for entry in result.document.entries}
    assert [entries[name].same_first_weights for name in ("v0", "v1")] == [False, True]
    write_report(result)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text("utf-8")
        assert "from these first weights" in text
        assert "one start" in text
        assert "begin with the same weights" in text


def test_runs_that_are_equal_are_told(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    first = result.entries[0].runs[0]
    result = changed(result, "v0", losses=first.losses, predicted=first.predicted)
    assert any("all runs are equal" in text for text in result.warnings)
    assert "equal runs" in shown(result)


def test_one_run_or_unknown_starts_say_nothing(tmp_path: Path) -> None:
    assert not changed(make_result(tmp_path, seeds=1), "v0", first_weights="a").entries[0].notes
    assert make_result(tmp_path).entries[0].notes == []


@pytest.mark.slow
def test_remarks_stand_beside_the_score_one_by_one(tmp_path: Path) -> None:
    result = changed(
        make_result(tmp_path),
        "v0",
        remarks={"batch": "it depends on its batch."},
        accuracy_one_by_one=0.1,
    )
    (warning,) = [text for text in result.warnings if "batch" in text]
    assert warning == (
        "v0: it depends on its batch. Shown one at a time, 10.00 % of the images are right."
    )
    assert "10.00" in shown(result)
    write_report(result)
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "one by one: 10.00" in text
    assert result.document.entries[0].accuracy_one_by_one.mean == pytest.approx(0.1)


def test_what_some_runs_have_is_said_of_so_many(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    entry = result.entries[0]
    first = replace(entry.runs[0], remarks={"not loadable": "it cannot be loaded again: for this."})
    entries = (replace(entry, runs=(first, *entry.runs[1:])), *result.entries[1:])
    (warning,) = [
        text for text in replace(result, entries=entries).warnings if "loaded again" in text
    ]
    assert warning == "v0: in 1 of 3 runs it cannot be loaded again: for this."


def test_what_there_is_to_know_of_the_pictures_is_said_once(tmp_path: Path) -> None:
    result = changed(make_result(tmp_path), "v0", dataset_notes=["3 pictures were passed over."])
    assert result.warnings.count("3 pictures were passed over.") == 1


@pytest.mark.slow
def test_flops_that_cannot_be_counted_are_left_empty(tmp_path: Path) -> None:
    result = changed(make_result(tmp_path), "v0", flops_per_image=None)
    assert result.document.entries[0].flops_per_image is None
    write_report(result)
    assert "None" not in (tmp_path / "report.html").read_text("utf-8")


def test_ties_are_told_where_another_rule_would_move_the_score(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    accuracies = result.entries[0].accuracies
    mean = sum(accuracies) / 3

    def told(moved_by: float) -> list[str]:
        ties = Ties(images=14, accuracy_by_chance=mean, accuracy_by_last=mean + moved_by)
        runs = tuple(
            replace(run, ties=ties, scores=replace(run.scores, accuracy=mean))
            for run in result.entries[0].runs
        )
        entries = (replace(result.entries[0], runs=runs), *result.entries[1:])
        return [t for t in replace(result, entries=entries).warnings if "largest logit" in t]

    assert told(0.0005) == []
    (warning,) = told(-0.05)
    assert warning.startswith("v0: on 7.00 % of the test images several classes share")
    assert f"which gives {100 * mean:.2f} %" in warning
    assert f"the last of them {100 * mean - 5:.2f} %" in warning


def test_what_the_seeds_did_not_vary_is_told_everywhere(tmp_path: Path) -> None:
    result = make_result(tmp_path, vary="weights")
    assert result.warnings[0].startswith("Seeds vary the first weights alone. Everything else")
    assert "seed 0 in all runs" in result.warnings[0]
    assert "seeds vary the first weights alone" in " ".join(shown(result).split())
    for pair in result.document.pairs:
        assert pair.in_words.endswith("in this order of the images")
        assert (pair.holds_for_other_first_weights, pair.holds_for_other_orders) == (True, False)
    assert result.document.vary == "weights"
    assert not any("manual_seed" in text for text in result.warnings)
    write_report(result)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "the mean over seeds, which vary the first weights alone" in page
    assert "by luck of the first weights." in page
    assert "a seed fixes the first weights, and seed 0 everything else random" in page


def test_seeds_that_hold_the_first_weights_are_no_models_fault(tmp_path: Path) -> None:
    result = changed(make_result(tmp_path, vary="order"), "v1", first_weights="aaaa")
    assert not any("manual_seed" in text for text in result.warnings)
    assert all(entry.same_first_weights for entry in result.document.entries)
    assert result.entries[1].notes == []


def on_machines(result: Result, *machines: tuple[str, str]) -> Result:
    """The result as if its runs had been made in turn on machines: processor and canary."""
    entries = []
    for entry in result.entries:
        runs = []
        for position, run in enumerate(entry.runs):
            processor, canary = machines[position % len(machines)]
            where = replace(run.environment, processor=processor, canary=canary)
            runs.append(replace(run, environment=where))
        entries.append(replace(entry, runs=tuple(runs)))
    return replace(result, entries=tuple(entries))


@pytest.mark.parametrize(
    ("machines", "told"),
    [
        ([("A", "x")], ""),
        ([("A", ""), ("B", "")], ""),  # no workers: told elsewhere
        (
            [("A", "x"), ("B", "x")],
            (
                "Workers trained on 2 kinds of machines (A, cpu; B, cpu), with 1 digest of the "
                "same small training: a seed ends the same on all of them."
            ),
        ),
        (
            [("A", "x"), ("B", "y"), ("C", "x")],
            (
                "Workers trained on 3 kinds of machines (A, cpu; B, cpu; C, cpu), with 2 digests "
                "of the same small training: a seed may end differently on another. This affects "
                "v1 and v0."
            ),
        ),
    ],
)
def test_kinds_of_machines_and_their_digests_are_told(
    machines: list[tuple[str, str]], told: str, tmp_path: Path
) -> None:
    result = on_machines(make_result(tmp_path, models=("v0", "v1")), *machines)
    assert [text for text in result.warnings if "kind" in text] == [told] * bool(told)


@pytest.mark.parametrize(("seeds", "enough"), [(4, 6), (6, None)])
def test_seeds_that_do_not_divide_into_the_studies_are_told(
    seeds: int, enough: int | None, tmp_path: Path
) -> None:
    result = make_tuned_result(tmp_path, seeds=seeds, trials=3)
    said = [text for text in result.warnings if "evenly" in text]
    assert [text[-len("Ask for 6 seeds.") :] for text in said] == (
        [f"Ask for {enough} seeds."] if enough else []
    )


def test_models_trained_on_different_machines_are_told(tmp_path: Path) -> None:
    plain = make_result(tmp_path, models=("v0", "v1"))
    first, second = (on_machines(plain, ("A", canary)).entries for canary in "xy")
    result = replace(plain, entries=(first[0], second[1]))
    (warning,) = [text for text in result.warnings if "1 kind of machines" in text]
    assert warning.endswith("This affects differences of models.")


def test_engines_are_told_where_times_would_compare_them(tmp_path: Path) -> None:
    timed = changed(make_result(tmp_path), "v0", engine="kernels")
    assert [text for text in timed.warnings if text.startswith("The C kernels trained v0")]
    untimed = timed
    for model in ("v0", "v1", "v2"):
        untimed = changed(untimed, model, train_seconds=None)
    assert not [text for text in untimed.warnings if "C kernels" in text]
