"""Faulty networks are all told at once; two sound ones are enough to compare."""

from functools import partial
from pathlib import Path

import pytest
from factories import NET
from torch import nn

import fashionbench as fb
from fashionbench.errors import UsageError
from fashionbench.experiments.planning import plan
from fashionbench.experiments.sound import is_custom, telling_faults, without_models

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
    fewer = without_models(study, {"sound.py:Net": "it is broken"})
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
        (fb.build_model("v0"), r"built already .* give its class .* functools\.partial\(Fashion"),
        (lambda: None, r"A function has no name .* functools\.partial\(MyNet, width=64\)"),
        (partial(lambda width: None, width=3), "A function has no name"),
        (partial(nn.Sequential, nn.Flatten()), "Not all arguments of .* can be written"),
        (7, "A int has no name"),
    ):
        with pytest.raises(UsageError, match=way) as refusal:
            plan([built, *three], "default", 1, dataset="silhouettes")
        assert str(refusal.value).count(". ") == 0, "one sentence"
