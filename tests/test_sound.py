"""Faulty networks are all told at once; two sound ones are enough to compare."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from factories import NET
from torch import nn
from typer.testing import Result

import fashionbench as fb
from fashionbench.errors import UsageError
from fashionbench.experiments.merge import merge_studies
from fashionbench.experiments.planning import plan
from fashionbench.experiments.sound import is_custom, telling_faults, without_rows

QUICK = {"dataset": "silhouettes", "epochs": 1, "train_images": 100}
BROKEN = {
    "takes": NET.format(name="Net").replace("(self)", "(self, hidden)", 1),
    "shapes": NET.format(name="Net").replace("784", "99"),
    "syntax": "def broken(:",
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {**BROKEN, "sound": NET.format(name="Net")}.items():
        Path(f"{name}.py").write_text(text)


@pytest.mark.usefixtures("files")
def test_the_sound_ones_are_compared_and_the_faults_stand_in_the_report() -> None:
    asked = ["v0", *(f"{name}.py:Net" for name in ("takes", "shapes", "syntax", "sound"))]
    result = fb.compare(asked, seeds=1, out="runs", **QUICK)
    assert [entry.model for entry in result.entries] == ["v0", "sound.py:Net"]
    for name in BROKEN:
        assert any(text.startswith(f"{name} is left out: ") for text in result.warnings)
    page = Path("runs/report.html").read_text("utf-8")
    assert "takes is left out: takes.py:Net cannot be built" in page
    again = fb.load_result("runs")
    assert again.warnings == result.warnings


@pytest.mark.usefixtures("files")
def test_too_few_are_refused_with_every_fault_and_the_last_comparison_stays() -> None:
    fb.compare(["v0", "mlp"], seeds=1, out="runs", **QUICK)
    before = Path("runs/report.html").read_bytes()
    with pytest.raises(UsageError) as refusal:
        fb.compare(["v0", *(f"{name}.py:Net" for name in BROKEN)], seeds=1, out="runs", **QUICK)
    assert all(f"{name}.py" in str(refusal.value) for name in BROKEN)
    assert str(refusal.value).startswith("3 models cannot be compared:\n- ")
    with pytest.raises(UsageError, match=r"takes\.py:Net cannot be built"):
        fb.compare(["v0", "takes.py:Net"], seeds=1, out="runs", **QUICK)
    with pytest.raises(UsageError, match=r"shapes\.py, line"):
        fb.compare(["mlp", "shapes.py:Net"], seeds=1, out="runs", **QUICK)
    assert [entry.model for entry in fb.load_result("runs").entries] == ["v0", "mlp"]
    assert Path("runs/report.html").read_bytes() == before


LATE = NET.format(name="Net").replace(
    "        return",
    "        self.batches = getattr(self, 'batches', 0) + self.training\n"
    "        if self.batches > 90: raise ValueError('at batch 90')\n"
    "        return",
)
"""A fault that shows only in training: what is tried before has fewer batches."""


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("ways", [{"parallel": "serial"}, {"parallel": "processes", "jobs": 2}])
def test_a_fault_in_training_stops_no_other_model(ways: dict[str, str]) -> None:
    Path("late.py").write_text(LATE)
    asked = {**QUICK, "train_images": 3200}
    result = fb.compare(["late.py:Net", "v0", "sound.py:Net"], seeds=2, out="runs", **asked, **ways)
    assert [result.name(entry) for entry in result.entries] == ["v0", "sound"]
    assert [len(entry.runs) for entry in result.entries] == [2, 2]
    (told,) = [text for text in result.warnings if "left out" in text]
    assert told.startswith("late is left out: late.py:Net cannot be trained: late.py, line")
    assert not any("finished" in text for text in result.warnings)
    assert fb.load_result("runs").warnings == result.warnings
    (left_out,) = json.loads(result.to_json())["left_out"]
    assert told == f"{left_out['name']} is left out: {left_out['fault']}"
    with pytest.raises(UsageError, match=r"late\.py:Net cannot be trained: late\.py, line"):
        fb.compare("late.py:Net", seeds=2, out="runs", **asked, **ways)
    assert [entry.model for entry in fb.load_result("runs").entries] == ["v0", "sound.py:Net"]


@pytest.mark.usefixtures("files")
def test_a_fault_in_a_trial_of_tuning_stops_no_other_model() -> None:
    Path("late.py").write_text(LATE)
    asked = {**QUICK, "train_images": 3200, "tune": "lr", "trials": 2}
    result = fb.compare(["v0", "late.py:Net", "mlp"], seeds=1, out="runs", **asked)
    rows = ["v0", "v0 tuned", "mlp", "mlp tuned"]
    assert [result.name(entry) for entry in result.entries] == rows
    assert dict(result.study.left_out).keys() == {"late.py:Net"}
    merged = merge_studies({Path("runs"): result.study, Path("same"): result.study})
    assert merged.models == ("v0", "mlp")
    assert merged.left_out == result.study.left_out


@pytest.mark.usefixtures("files", "two_threads")
def test_a_loss_that_fails_in_training_leaves_out_what_it_trains() -> None:
    Path("bad.py").write_text(
        "import torch\ncalls = []\n"
        "def loss(logits, labels):\n"
        "    calls.append(1)\n"
        "    if len(calls) > 150: raise ValueError('enough')\n"
        "    return torch.nn.functional.cross_entropy(logits, labels)\n"
    )
    Path("bad.toml").write_text("loss = 'bad.py:loss'\n")
    asked = {**QUICK, "train_images": 5600, "recipes": ["default", "bad.toml"]}
    result = fb.compare(["v0", "mlp"], seeds=1, out="runs", **asked)
    assert [result.name(entry) for entry in result.entries] == ["v0 default", "mlp default"]
    assert dict(result.study.left_out).keys() == {"v0 bad", "mlp bad"}


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "way",
    [pytest.param(("--on", "workers:1"), marks=pytest.mark.slow), ("--parallel", "stacked")],
)
def test_what_is_missing_from_the_result_is_told_by_the_exit_code(
    way: tuple[str, str], call_cli: Callable[..., Result]
) -> None:
    Path("late.py").write_text(LATE)
    asked = ["compare", "--dataset", "silhouettes", "--epochs", "1", "--train-images", "3200"]
    asked += ["--seeds", "1", "--out", "runs", "--models", "late.py:Net,takes.py:Net,v0", *way]
    answer = call_cli(*asked)
    assert answer.exit_code == 1, answer.stderr
    told = " ".join(answer.stdout.split())
    assert "! takes is left out: takes.py:Net cannot be built" in told  # before any training
    assert "! late.py:Net is left out: late.py:Net cannot be trained" in told
    assert "Report: runs/report.html" in told
    assert call_cli("report", "runs").exit_code == 0


class Unruly:
    """A stand-in for a model: no Exception of it is known beforehand."""


@pytest.mark.parametrize("error", [KeyError("hidden"), TypeError("no hash"), SystemExit(3)])
def test_whatever_an_own_model_raises_is_a_fault_of_it(error: BaseException) -> None:
    for model in ("my_net.py:Net", Unruly):
        told = pytest.raises(UsageError, match=r"(my_net.py:Net|Unruly) cannot be compared: ")
        with told, telling_faults(model):
            raise error
    with pytest.raises(type(error)), telling_faults("v0"):  # a fault of the program is one
        raise error


@pytest.mark.usefixtures("files")
def test_a_mistyped_name_is_refused_however_many_others_are_sound() -> None:
    with pytest.raises(UsageError, match="no model 'v9'"):
        plan(["v0", "v1", "v9"], "default", 1, dataset="silhouettes")
    assert [is_custom(name) for name in ("v0", "v2:hidden_units=3", "a.py:Net", "timm/x")] == [
        False,
        False,
        True,
        False,
    ]


@pytest.mark.usefixtures("files")
def test_recipes_stay_with_their_models() -> None:
    asked = ["v0@fast", "takes.py:Net@adam", "mlp@adam", "sound.py:Net@fast"]
    study = plan(asked, "default", 1, dataset="silhouettes")
    rows = [(jobs[0].model, jobs[0].recipe.name) for jobs in study.entries()]
    assert rows == [("v0", "fast"), ("mlp", "adam"), ("sound.py:Net", "fast")]
    fewer = without_rows(study, {2: "it is broken"})
    rows = [(jobs[0].model, jobs[0].recipe.name) for jobs in fewer.entries()]
    assert rows == [("v0", "fast"), ("mlp", "adam")]
    assert dict(fewer.left_out).keys() == {"takes", "sound.py:Net"}


@pytest.mark.parametrize(
    ("name", "key"), [("V2", "v2"), ("FashionMNISTModelV2", "v2"), ("resnet-20", "resnet20")]
)
def test_a_built_in_model_goes_by_its_class_and_in_any_case(name: str, key: str) -> None:
    study = plan(name, "default", 1, dataset="silhouettes")
    assert study.models == (key,)
    assert type(fb.build_model(name)) is type(fb.build_model(key))
    with pytest.raises(UsageError, match="ResNet may be resnet20 or resnet32"):
        fb.build_model("ResNet")


def test_what_is_no_class_is_refused_with_the_way_that_works() -> None:
    three = ["v0", "v1"]
    for built, way in (
        (fb.build_model("v0"), r"built already, .* give its class .* functools\.partial\(Fashion"),
        (
            lambda: None,
            r"type function cannot be built anew by a name.* functools\.partial\(MyNet, width=64\)",
        ),
        (partial(lambda width: None, width=3), "type function cannot be built anew"),
        (partial(nn.Sequential, nn.Flatten()), "Not all arguments of .* can be written"),
        (7, "type int cannot be built anew"),
    ):
        with pytest.raises(UsageError, match=way) as refusal:
            plan([built, *three], "default", 1, dataset="silhouettes")
        assert str(refusal.value).count(". ") == 0, "one sentence"
