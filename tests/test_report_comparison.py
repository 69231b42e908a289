"""What follows from records: summaries, pairs and warnings."""

from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_result

from fashionbench.config.recipe import load_recipe
from fashionbench.errors import StoreError
from fashionbench.experiments.result import load_result
from fashionbench.report.entries import Entry
from fashionbench.report.page import write_report
from fashionbench.stats.difference import difference
from fashionbench.store.run_store import RunStore


def test_pairs_are_all_pairs_and_their_differences_those_of_the_means(tmp_path: Path) -> None:
    document = make_result(tmp_path).document
    means = {entry.model: entry.accuracy.mean for entry in document.entries}
    models = [*means]
    expected = [(a, b) for i, a in enumerate(models) for b in models[i + 1 :]]
    assert [(pair.a, pair.b) for pair in document.pairs] == expected
    for pair in document.pairs:
        assert pair.difference == pytest.approx(means[pair.a] - means[pair.b])
        assert pair.n == 3
        assert pair.low < pair.difference < pair.high
        assert (pair.verdict in ("better", "worse")) == (pair.p_value < 0.05)


def test_times_of_different_machines_are_told(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    first, *others = result.entries[0].runs

    def warned(environment: dict[str, str], seconds: float | None) -> list[str]:
        moved = replace(
            first, environment=replace(first.environment, **environment), train_seconds=seconds
        )
        entries = (replace(result.entries[0], runs=(moved, *others)), *result.entries[1:])
        return [text for text in replace(result, entries=entries).warnings if "machines" in text]

    assert warned({}, 1.0) == []
    (told,) = warned({"processor": "Another processor"}, 1.0)
    assert "A processor, cpu" in told
    assert "Another processor, cpu" in told
    assert len(warned({"device": "A GPU"}, 1.0)) == 1
    assert warned({"processor": "Another processor"}, None) == [], "it took no time there"


def test_what_a_reader_must_know_is_told(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    (first, *others), *entries = (entry.runs for entry in result.entries)

    def warned(**changes: object) -> str:
        changed = replace(result.entries[0], runs=(replace(first, **changes), *others))
        return "\n".join(replace(result, entries=(changed, *result.entries[1:])).warnings)

    assert entries
    before = "\n".join(result.warnings)
    for told, changes in {
        "under different conditions: cpu, torch 2.11.0; cuda, torch 2.11.0": {"device": "cuda"},
        "different numbers of threads: 2; 4": {
            "environment": replace(first.environment, threads=4)
        },
        "in 1 of 3 runs at least one class is never predicted (class c).": {"dead_classes": [2]},
        "in 1 of 3 runs at least one class is never predicted (class a, class b or class c).": {
            "dead_classes": [0, 1, 2]
        },
        "1 of 3 runs collapsed (one class is predicted": {"outcome": "collapsed"},
    }.items():
        assert told in warned(**changes)
        assert told not in before


def test_classes_that_many_models_lose_are_one_sentence(tmp_path: Path) -> None:
    models = tuple(f"nets/student_{number}.py:Net" for number in range(9))
    result = make_result(tmp_path, models=models, seeds=2)

    def lose(entry: Entry, index: int) -> Entry:
        return replace(entry, runs=(replace(entry.runs[0], dead_classes=[index]), entry.runs[1]))

    for count, sentences in ((5, 5), (9, 1)):
        entries = [lose(e, i) if i < count else e for i, e in enumerate(result.entries)]
        warnings = replace(result, entries=tuple(entries)).warnings
        assert sum("never predict" in text for text in warnings) == sentences
    (told,) = (text for text in warnings if "never predict" in text)
    assert "and 4 others: some runs never predict at least one class" in told


def test_a_folder_without_finished_runs_says_so(tmp_path: Path) -> None:
    store = RunStore(tmp_path, create=True)
    with pytest.raises(StoreError, match="no comparison yet"):
        load_result(tmp_path)
    study = make_result(tmp_path / "other").study
    store.save_study(study, "fashionbench compare")
    with pytest.raises(StoreError, match="go on with: fashionbench compare"):
        load_result(tmp_path)


@pytest.mark.slow
def test_a_report_counts_as_written_until_it_says_something_else(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    assert not result.is_reported
    for path in write_report(result):
        content = path.read_bytes()
        path.unlink()
        assert not result.is_reported
        path.write_bytes(content)
        assert result.is_reported
    assert not replace(result, command="fashionbench compare --seeds 3").is_reported
    (tmp_path / "results.json").write_bytes(b"\xff")
    assert not result.is_reported


def test_runs_that_were_not_alone_have_no_training_time(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    shared = [replace(run, train_seconds=None) for run in result.entries[0].runs[1:]]
    entry = replace(result.entries[0], runs=(result.entries[0].runs[0], *shared))
    seconds = entry.summarize(result.test_set).train_seconds
    assert (seconds.n, seconds.sd) == (1, None)
    assert seconds.mean == seconds.median == entry.runs[0].train_seconds
    other = replace(result, entries=(entry, result.entries[1]))
    assert other.document.pairs[0].time_ratio is None
    assert result.document.pairs[0].time_ratio.ratio > 0


def test_runs_that_are_not_finished_are_counted_and_not_passed_over(tmp_path: Path) -> None:
    whole = make_result(tmp_path, models=("v0", "mlp"), seeds=3)
    assert not any("finished" in warning for warning in whole.warnings)
    one = replace(whole.entries[0], runs=whole.entries[0].runs[:2])
    stopped = replace(whole, entries=(one,))
    assert stopped.warnings[0].startswith("Only 2 of the 6 runs are finished. To go on: ")
    assert whole.command in stopped.warnings[0]


def test_a_stop_that_leaves_other_seeds_of_each_row_is_told(tmp_path: Path) -> None:
    whole = make_result(tmp_path, models=("v0", "mlp"), seeds=4)
    assert not any("same seeds" in warning for warning in whole.warnings)
    fewer = replace(whole.entries[1], runs=whole.entries[1].runs[:2])
    stopped = replace(whole, entries=(whole.entries[0], fewer))
    (told,) = [warning for warning in stopped.warnings if "same seeds" in warning]
    assert "mlp has 2, v0 4" in told
    (pair,) = stopped.pairs
    first = replace(whole.entries[0], runs=whole.entries[0].runs[:2])
    (common,) = replace(whole, entries=(first, fewer)).pairs
    assert pair.found == common.found


def test_an_own_models_folders_are_in_its_name_only_where_they_tell_it_apart(
    tmp_path: Path,
) -> None:
    result = make_result(tmp_path, models=("v0", "mlp"), seeds=2)

    def named(*models: str) -> list[str]:
        entries = [
            replace(
                entry,
                runs=tuple(
                    replace(run, job=run.job.model_copy(update={"model": model}))
                    for run in entry.runs
                ),
            )
            for entry, model in zip(result.entries, models, strict=True)
        ]
        study = result.study.model_copy(update={"models": models})
        renamed = replace(result, study=study, entries=tuple(entries))
        return [renamed.name(entry) for entry in entries]

    assert named("/home/me/net.py:Net:width=8", "timm/resnet18") == [
        "net.py:Net:width=8",
        "timm/resnet18",
    ]
    assert named(r"C:\\nets\\net.py:Net", "v0:weights=a/b/w.th") == [
        "net.py:Net",
        "v0:weights=w.th",
    ]
    assert named("a/net.py:Net", "b/net.py:Net") == ["a/net.py:Net", "b/net.py:Net"]


def test_a_probe_on_random_weights_is_told(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0",), seeds=2)
    (entry,) = result.entries

    def probed(**job: str) -> list[str]:
        recipe = load_recipe("transfer")
        runs = [
            replace(run, job=run.job.model_copy(update={"recipe": recipe, **job}))
            for run in entry.runs
        ]
        model, source = job.get("model", entry.model), job.get("model_source", "")
        study = result.study.model_copy(update={"models": (model,), "model_sources": (source,)})
        entries = (replace(entry, runs=tuple(runs)),)
        return replace(result, study=study, entries=entries).warnings

    assert any("had random weights; give trained ones with --weights" in w for w in probed())
    for begun in ({"model_source": "+abc"}, {"model": "timm/resnet18"}):
        assert not any("random weights" in warning for warning in probed(**begun))


def test_files_whose_models_are_all_called_the_same_go_by_their_files(tmp_path: Path) -> None:
    class_of_three = make_result(
        tmp_path, models=("nets/ann.py:Net", "nets/bob.py:Net", "v0"), seeds=1
    )
    names = [class_of_three.name(entry) for entry in class_of_three.entries]
    assert names == ["ann", "bob", "v0"]
    assert class_of_three.find_entry("bob").model == "nets/bob.py:Net"


def test_shown_pairs_have_the_more_accurate_first_and_say_the_same(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=5)
    assert result.pairs[0].found.difference < 0, "v0 is worse than v1"
    for shown in result.shown_pairs:
        assert shown.found.difference > 0
        (pair,) = (each for each in result.pairs if {each.a, each.b} == {shown.a, shown.b})
        assert abs(pair.found.difference) == shown.found.difference
        labels = result.test_set.labels
        alone = difference(
            shown.first.mark_correct(labels), shown.second.mark_correct(labels), pairs=3
        )
        for end in ("difference", "low", "high", "seeds_low", "seeds_high"):
            assert getattr(shown.found, end) == pytest.approx(getattr(alone, end))
        assert shown.found.probability_a_beats_b == pytest.approx(alone.probability_a_beats_b)
        assert shown.found.spread.by_seed == pytest.approx(alone.spread.by_seed)
        assert (shown.interval[0] > 0) == (shown.verdict.word == "better")


def test_a_vote_of_all_runs_is_counted_image_by_image(tmp_path: Path) -> None:
    result = make_result(tmp_path, seeds=5)
    labels = result.test_set.labels
    for entry, summary in zip(result.entries, result.document.entries, strict=True):
        right = 0
        for image in range(len(labels)):
            calls = [int(run.predicted[image]) for run in entry.runs]
            most = max(map(calls.count, calls))
            right += min(call for call in calls if calls.count(call) == most) == labels[image]
        assert summary.vote_accuracy == right / len(labels)
        assert summary.vote_accuracy > summary.accuracy.mean
    two = make_result(tmp_path / "two", seeds=2)
    assert two.document.entries[0].vote_accuracy is None
