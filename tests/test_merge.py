"""Several run folders become one, once, and nothing that cannot be compared."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import IMAGES, LABELS, make_record, make_result
from typer.testing import Result as Answer

from fashionbench.config.recipe import load_recipe
from fashionbench.config.study import Study
from fashionbench.errors import UsageError
from fashionbench.experiments.merge import merge_runs, merge_studies
from fashionbench.experiments.result import Result, load_result
from fashionbench.models.checkpoint import checkpoint_path
from fashionbench.store.packed import PackedRun, RunFile
from fashionbench.store.records import TestSet
from fashionbench.store.run_store import RunStore


def change(folder: Path, **changes: object) -> None:
    """Change what was asked in a folder."""
    store = RunStore(folder)
    study, command = store.load_study()
    store.save_study(study.model_copy(update=changes), command)


def seeds_of(result: Result) -> dict[str, list[int]]:
    return {entry.model: [run.job.seed for run in entry.runs] for entry in result.entries}


def test_models_and_seeds_of_all_folders_are_in_one_report(tmp_path: Path) -> None:
    one = make_result(tmp_path / "a", models=("v0", "v1"), seeds=2)
    make_result(tmp_path / "b", models=("v1", "v2"), seeds=3)
    merged = merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "c", "fashionbench merge")
    assert seeds_of(merged) == {"v0": [0, 1], "v1": [0, 1, 2], "v2": [0, 1, 2]}
    assert merged.command == "fashionbench merge"
    first = merged.find_entry("v0").runs[0]
    assert first.scores == one.find_entry("v0").runs[0].scores
    np.testing.assert_array_equal(first.losses, one.find_entry("v0").runs[0].losses)


def test_merging_again_changes_nothing_and_one_more_is_added(tmp_path: Path) -> None:
    for name, model in (("a", "v0"), ("b", "v1"), ("c", "v2")):
        make_result(tmp_path / name, models=(model,), seeds=2)
    out = tmp_path / "all"
    first = merge_runs([tmp_path / "a", tmp_path / "b"], out, "x")
    again = merge_runs([tmp_path / "b", tmp_path / "a", out], out, "x")
    assert again.document == first.document
    more = merge_runs([tmp_path / "c"], out, "x")
    assert seeds_of(more) == {"v0": [0, 1], "v1": [0, 1], "v2": [0, 1]}
    assert more.warnings == first.warnings


def test_a_model_has_only_the_recipes_that_it_was_trained_by(tmp_path: Path) -> None:
    make_result(tmp_path / "a", models=("v0",), epochs=(3,))
    make_result(tmp_path / "b", models=("v1",), epochs=(3, 5))
    merged = merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "c", "x")
    assert [(entry.model, entry.recipe) for entry in merged.entries] == [
        ("v0", "default"),
        ("v1", "default"),
        ("v1", "default epochs=5"),
    ]
    assert not [warning for warning in merged.warnings if "are finished" in warning]


def test_models_of_one_name_and_other_code_stay_two(tmp_path: Path) -> None:
    recipe = load_recipe("default")
    for name in ("anna", "ben"):
        study = Study(
            models=("net.py:Net", "v0"),
            model_sources=(f"code of {name}", ""),
            recipes=(recipe,),
            seeds=(0, 1),
            dataset="silhouettes",
        )
        make_result(tmp_path / name, models=("v0",), seeds=2)
        store = RunStore(tmp_path / name)
        for jobs in study.entries():
            for job in jobs:
                store.save_run(make_record(job))
        store.save_study(study, "x")
    merged = merge_runs([tmp_path / "anna", tmp_path / "ben"], tmp_path / "all", "x")
    assert [merged.name(entry) for entry in merged.entries] == ["net (anna)", "v0", "net (ben)"]
    assert {pair.a for pair in merged.pairs} == {"net (anna)", "v0"}
    assert [merged.name(entry) for entry in load_result(tmp_path / "all").entries] == [
        *("net (anna)", "v0", "net (ben)")
    ]


def test_weights_come_along(tmp_path: Path) -> None:
    result = make_result(tmp_path / "a", models=("v0",), seeds=1)
    job = result.entries[0].runs[0].job
    path = checkpoint_path(tmp_path / "a", job)
    path.parent.mkdir()
    path.write_bytes(b"weights")
    path.with_suffix(".json").write_text("{}")
    merge_runs([tmp_path / "a"], tmp_path / "b", "x")
    kept = checkpoint_path(tmp_path / "b", job)
    assert (kept.read_bytes(), kept.with_suffix(".json").read_text()) == (b"weights", "{}")
    assert len([*kept.parent.iterdir()]) == 2


def test_what_waits_in_an_inbox_comes_too(tmp_path: Path) -> None:
    result = make_result(tmp_path / "a", models=("v0",), seeds=1)
    job = result.entries[0].runs[0].job.model_copy(update={"seed": 1})
    RunFile(PackedRun.pack(make_record(job)), None).write(tmp_path / "a" / "inbox")
    change(tmp_path / "a", seeds=(0, 1))
    merged = merge_runs([tmp_path / "a"], tmp_path / "b", "x")
    assert seeds_of(merged) == {"v0": [0, 1]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"protocol": 3}, "protocol is 2 in the one and 3 in the other"),
        ({"dataset_source": "0123"}, "dataset_source is  in the one and 0123 in the other"),
        ({"vary": "weights"}, "vary is all in the one and weights in the other"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    changes: dict[str, object], told: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        make_result(tmp_path / name)
    change(tmp_path / "b", **changes)
    with pytest.raises(UsageError, match=f"a and .*b cannot be compared: {told}"):
        merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "c", "x")


def test_other_test_images_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        result = make_result(tmp_path / name)
    labels = np.roll(LABELS, 1).astype(np.uint8)
    classes = result.test_set.classes
    RunStore(tmp_path / "b").save_test_set(
        TestSet("silhouettes", "Silhouettes", classes, IMAGES, labels)
    )
    with pytest.raises(UsageError, match="were scored on other test images"):
        merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "c", "x")
    assert not (tmp_path / "c").exists()


def test_two_recipes_of_one_name_are_refused(tmp_path: Path) -> None:
    recipe = load_recipe("default").model_copy(update={"name": "mine"})
    studies = {
        Path(name): Study(models=("v0",), recipes=(given,), seeds=(0,), dataset="silhouettes")
        for name, given in (("a", recipe), ("b", recipe.model_copy(update={"momentum": 0.5})))
    }
    with pytest.raises(UsageError, match="The recipe mine of b is another"):
        merge_studies(studies)


def test_another_torch_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = make_result(tmp_path / "a", models=("v0",), seeds=1)
    run = result.entries[0].runs[0]
    make_result(tmp_path / "b", models=("v1",), seeds=1)
    versions = run.environment.versions | {"torch": "3.0"}
    changed = replace(run, environment=replace(run.environment, versions=versions))
    RunStore(tmp_path / "a").save_run(changed)
    merged = merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "c", "x")
    assert "different versions of torch: 2.11.0, 3.0." in caplog.text
    assert [warning for warning in merged.warnings if "different conditions" in warning]


def test_the_command_writes_a_report(tmp_path: Path, call_cli: Callable[..., Answer]) -> None:
    for name, model in (("a", "v0"), ("b", "v1")):
        make_result(tmp_path / name, models=(model,))
    answer = call_cli("merge", "a", "b", "--out", "all")
    assert answer.exit_code == 0, answer.stderr
    assert "Report: all/report.html" in answer.stdout
    assert (tmp_path / "all" / "report.html").is_file()
    answer = call_cli("merge", "a", "nowhere", "--out", "all")
    assert answer.exit_code == 1
    assert "nowhere holds no runs" in answer.stderr
