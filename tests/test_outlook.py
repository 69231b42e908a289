"""What a comparison could show and cost, told before it runs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from factories import make_result

from fashionbench.errors import UsageError
from fashionbench.experiments.outlook import ASSUMED_SD, STEPS, look_ahead
from fashionbench.experiments.planning import plan
from fashionbench.stats.difference import difference

ASKED = {"dataset": "silhouettes", "device": "cpu"}


def test_nothing_recorded_is_assumed_and_said_so(tmp_path: Path) -> None:
    study = plan(["v0", "mlp"], ["default"], 5, epochs=1, **ASKED)
    found = look_ahead(study, tmp_path / "none", difference=0.01)
    (pair,) = found.pairs
    assert (pair.sd, pair.recorded_seeds, pair.error_of_images) == (ASSUMED_SD, 0, None)
    assert (found.runs, found.recorded, found.looks) == (10, 0, 10)
    assert found.seconds > 0
    assert "their difference varies by 1.50 points over seeds (assumed)" in str(found)
    assert f"detecting 1 point takes {pair.seeds_for} seeds" in str(found)
    assert not (tmp_path / "none").exists()


def test_recorded_runs_tell_spread_time_and_what_is_missing(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v0", "mlp"), seeds=4)
    study = result.study.model_copy(update={"seeds": (0, 1, 2, 3, 4, 5)})
    found = look_ahead(study, tmp_path)
    correct = [entry.mark_correct(result.test_set.labels) for entry in result.entries]
    expected = difference(*correct)
    (pair,) = found.pairs
    assert (pair.sd, pair.recorded_seeds) == (expected.sd, 4)
    assert (found.runs, found.recorded) == (12, 8)
    medians = [np.median(entry.seconds) for entry in result.entries]
    assert found.seconds == pytest.approx(2 * sum(medians))
    assert "from 4 recorded seeds" in str(found)
    assert "other test images may change it by" in str(found)
    asked = look_ahead(study, tmp_path, sd=0.1)
    assert (asked.pairs[0].sd, asked.pairs[0].recorded_seeds) == (0.1, 0)


def test_the_time_on_trial_is_near_that_of_the_run(silhouettes, tmp_path: Path) -> None:
    from fashionbench.models.build import build_model
    from fashionbench.training.loop import fit

    study = plan(["v2"], ["default"], 2, epochs=1, **ASKED)
    guessed = look_ahead(study, tmp_path / "none").seconds / 2
    assert len(silhouettes.train) > 5 * STEPS * 32  # a small part is timed
    history = fit(build_model("v2"), silhouettes.train, study.recipes[0], device="cpu")
    # Other work on the machine disturbs either: the order of magnitude is what must be right.
    assert 0.1 < guessed / history.train_seconds < 10


def test_rows_have_the_names_of_the_comparison(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net(): return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n"
    )
    models = {"mine": f"{tmp_path}/net.py:net", "small": "v2:hidden_units=4"}
    study = plan(models, ["default", "fast"], 2, epochs=1, train_images=100, **ASKED)
    found = look_ahead(study, tmp_path / "none")
    recipes = [recipe.label for recipe in study.recipes]
    assert [*found.seconds_of_a_run] == [f"{name} {of}" for name in models for of in recipes]


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="needs a machine without MPS")
def test_a_run_is_timed_on_the_device_that_was_asked_for(tmp_path: Path) -> None:
    study = plan(["v0"], ["default"], 2, epochs=1, **ASKED | {"device": "mps"})
    with pytest.raises(UsageError, match="no mps device"):
        look_ahead(study, tmp_path / "none")


def test_what_no_seeds_can_show_is_said(tmp_path: Path) -> None:
    study = plan(["v0", "mlp"], ["default"], 2, epochs=1, **ASKED)
    found = look_ahead(study, tmp_path / "none", difference=1e-12, sd=0.1)
    assert (found.pairs[0].smallest, found.pairs[0].seeds_for) == (None, None)
    assert "2 seeds detect no difference in four of five cases; ask for more" in str(found)
    assert "detecting 1e-10 points takes more than 1,000,000 seeds" in str(found)


def test_one_seed_shows_nothing_and_more_models_need_more(tmp_path: Path) -> None:
    one = look_ahead(plan(["v0", "mlp"], ["default"], 1, epochs=1, **ASKED), tmp_path / "none")
    assert one.pairs[0].smallest is None
    assert "one seed detects no difference" in str(one)
    assert "2 runs, 0 of them recorded: 2 looks at" in str(one)
    two, three = (
        look_ahead(plan(models, ["default"], 5, epochs=1, **ASKED), tmp_path / "none")
        for models in (["v0", "mlp"], ["v0", "mlp", "v1"])
    )
    assert three.pairs[0].smallest > two.pairs[0].smallest
