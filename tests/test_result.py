"""A result in a person's hands: its models, its predictions, and how it shows itself."""

import html
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import CLASSES, make_result
from torch import nn

import fashionbench as fb
from fashionbench.errors import UsageError
from fashionbench.experiments.result import Result, load_result
from fashionbench.report.figures import FIGURES
from fashionbench.report.headline import compose_headline


@pytest.fixture(scope="module")
def trained(run_folder: Path) -> Result:
    """v0 and mlp, trained for one epoch from seed 0."""
    return load_result(run_folder)


def test_a_model_is_the_one_that_was_trained(trained: Result) -> None:
    images = torch.from_numpy(trained.test_set.images[:, None] / 255).float()
    for entry in trained.entries:
        model = trained.load_model(entry.model, seed=0)
        assert type(model).__name__ == entry.label
        with torch.inference_mode():
            predicted = model(images).argmax(dim=1).numpy()
        np.testing.assert_array_equal(predicted, entry.runs[0].predicted)


def test_predictions_give_the_recorded_scores(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    for entry in result.entries:
        predictions = result.predictions(entry.model)
        assert predictions.seeds == (0, 1, 2)
        right = predictions.labels == result.test_set.labels
        assert right.mean(axis=1) == pytest.approx(entry.accuracies)
        losses = [run.scores.loss for run in entry.runs]
        assert predictions.losses.mean(axis=1) == pytest.approx(losses)


def test_a_row_goes_by_the_names_of_the_table(tmp_path: Path) -> None:
    models = ("nets/my.py:Net", "v0")
    result = make_result(tmp_path, models=models, epochs=(1, 2))
    for model in ("nets/my.py:Net", "my.py:Net"):
        entry = result.find_entry(model, "default epochs=2")
        assert (entry.model, entry.recipe) == ("nets/my.py:Net", "default epochs=2")
        assert result.find_entry(model, "seed epochs=2") is entry, "as the recipe was once called"


def test_what_is_not_in_it_is_refused_with_what_is(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0", "mlp"))
    with pytest.raises(UsageError, match=r"no model 'v9' .*; there are v0, mlp\."):
        result.predictions("v9")
    with pytest.raises(UsageError, match=r"no recipe 'slow' of v0 .*; there are default\."):
        result.load_model("v0", seed=0, recipe="slow")
    with pytest.raises(UsageError, match=r"v0 has no finished run of seed 7; there are 0, 1, 2\."):
        result.load_model("v0", seed=7)
    several = make_result(tmp_path / "several", epochs=(1, 2))
    with pytest.raises(UsageError, match=r"name one of default epochs=1, default epochs=2\."):
        several.predictions("v0")


def test_a_frame_has_a_row_for_each_run(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    frame = result.to_pandas()
    runs = [run for entry in result.entries for run in entry.runs]
    assert [*frame["seed"]] == [run.job.seed for run in runs]
    assert [*frame["accuracy"]] == [run.scores.accuracy for run in runs]
    assert [*frame["model"]] == [run.job.model for run in runs]


def test_a_figure_is_the_reports(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    (panel,) = result.figure("classes", model="v1").axes
    recall = np.mean([run.scores.recall for run in result.find_entry("v1").runs], axis=0)
    order = np.argsort(-recall, kind="stable")
    assert [label.get_text() for label in panel.get_yticklabels()] == [
        *map(CLASSES.__getitem__, order)
    ]


def test_every_figure_is_named_where_a_reader_looks() -> None:
    said = " ".join((Result.figure.__doc__ or "").split())
    assert f"They are {', '.join([*FIGURES][:-1])} and {[*FIGURES][-1]}." in said


def test_a_notebook_shows_headline_verdicts_warnings_and_plots(tmp_path: Path) -> None:
    result = make_result(tmp_path, outcomes={"v1": "diverged"})
    shown = result._repr_html_()
    assert shown.count("<svg") == 2
    assert compose_headline(result) in html.unescape(shown)
    assert "3 of 3 runs diverged" in shown
    for pair in result.shown_pairs:
        assert str(pair.verdict) in shown


def test_a_net_of_a_notebook_is_called_by_its_class_also_in_legends(tmp_path: Path) -> None:
    models = ("v0", "__main__:MyCNN", "_private.py:Net")
    result = make_result(tmp_path, models=models)
    assert {result.name(entry) for entry in result.entries} == {"v0", "MyCNN", "_private.py:Net"}
    legend = result.figure("curves").axes[0].get_legend()
    shown = [text.get_text().strip() for text in legend.get_texts()]
    assert sorted(shown) == ["MyCNN", "_private.py:Net", "v0"]


def test_a_model_goes_by_its_class_too_in_any_case(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0", "v1", "a/net.py:Net"))
    for name in ("V1", "model<V1>", "v1"):
        assert result.find_entry(name).model == "v1"
    assert result.find_entry("NET.py:net").model == "a/net.py:Net"
    twins = make_result(tmp_path / "twins", models=("v0", "v2"))
    same = tuple(
        replace(entry, runs=tuple(replace(run, label="Net") for run in entry.runs))
        for entry in twins.entries
    )
    with pytest.raises(UsageError, match="'net' may be v0 or v2; name one"):
        replace(twins, entries=same).find_entry("net")


def test_a_confusion_matrix_has_the_names_of_classes(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    found = result.confusion("v1")
    runs = [run.scores.confusion for run in result.find_entry("v1").runs]
    assert found.count("class c", "class a") == pytest.approx(np.mean(runs, axis=0)[2][0])
    assert found.to_pandas().loc["class c", "class a"] == found.count("class c", "class a")
    assert found.counts.sum() == len(result.test_set.labels)
    with pytest.raises(UsageError, match="no class 'class z'; there are class a, class b"):
        found.count("class z", "class a")


def test_a_class_names_its_row_and_what_names_none_is_told(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0", "mlp"), seeds=2)
    assert result.predictions(type("MLP", (nn.Module,), {})).labels.shape == (
        2,
        len(result.test_set.labels),
    )
    for wrong in (nn.Linear, ["v0", "mlp"], 3):
        with pytest.raises(UsageError, match="in this comparison; there are v0, mlp"):
            result.figure("curves", model=wrong)


def test_what_is_printed_in_a_shell_is_short(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    whole = (result, result.predictions("v0"), result.confusion("v0"))
    for shown in (*whole, result.entries[0], result.pairs[0], result.entries[0].runs[0]):
        assert len(repr(shown)) < 300, type(shown)
    assert "v0" in repr(result.entries[0])
    assert "v1" in repr(result.pairs[0])


def test_a_result_is_had_from_its_folder(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    assert isinstance(fb.load_result(str(tmp_path)), fb.Result)
    assert fb.load_result(tmp_path).document == result.document
    with pytest.raises(UsageError, match="folder is None, but should be a path"):
        fb.load_result(None)
