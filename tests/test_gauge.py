"""`plan` and `check` on the command line, and their exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from factories import make_result
from typer.testing import Result

Call = Callable[..., Result]


def test_plan_says_what_it_can_show_and_runs_nothing(call_cli: Call, tmp_path: Path) -> None:
    asked = ("plan", "--models", "v0,mlp", "--seeds", "0-3", "--dataset", "silhouettes")
    answer = call_cli(*asked, "--epochs", 1, "--difference", 0.005)
    assert answer.exit_code == 0, answer.output
    assert "v0 | mlp: their difference varies by" in answer.stdout
    assert "detecting 0.5 points takes" in answer.stdout
    assert "8 runs, 0 of them recorded: 8 looks at the test set" in answer.stdout
    assert not (tmp_path / "runs").exists()
    document = json.loads(call_cli(*asked, "--epochs", 1, "--sd", 0.01, "--json").stdout)
    assert (document["seeds"], document["looks"], document["pairs"][0]["sd"]) == (4, 8, 0.01)
    assert call_cli(*asked, "--sd", 7).exit_code == 2


def test_check_passes_what_is_the_same_and_its_exit_code_says_so(
    call_cli: Call, tmp_path: Path
) -> None:
    for name, seeds in (("old", 3), ("new", 3), ("one", 1)):
        make_result(tmp_path / name, models=("v0",), seeds=seeds)
    answer = call_cli("check", "new", "--baseline", "old")
    assert (answer.exit_code, answer.stdout[:5]) == (0, "pass:")
    document = json.loads(call_cli("check", "new", "--baseline", "old", "--json").stdout)
    assert document["outcome"] == document["models"][0]["outcome"] == "pass"
    make_result(tmp_path / "other", models=("mlp",), seeds=3)
    assert call_cli("check", "new", "--baseline", "other").exit_code == 2
    assert call_cli("check", "new", "--baseline", "nowhere").exit_code == 1
    assert call_cli("check", "new", "--baseline", "old", "--margin", 5).exit_code == 2


@pytest.mark.parametrize(("change", "code"), [(-0.3, 1), (0.0001, 3)])
def test_a_loss_fails_and_a_margin_too_small_cannot_be_told(
    change: float, code: int, call_cli: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import factories

    make_result(tmp_path / "old", models=("v0",), seeds=6)
    usual = factories.make_record

    def changed(job, *, skill=2.0, **options):
        record = usual(job, skill=skill if change < -0.1 else skill + 0.01, **options)
        if change > -0.1:
            return record
        return usual(job, skill=skill / 4, **options)

    monkeypatch.setattr(factories, "make_record", changed)
    make_result(tmp_path / "new", models=("v0",), seeds=6)
    answer = call_cli("check", "new", "--baseline", "old", "--margin", 0.0001)
    assert answer.exit_code == code, answer.output
