"""Optimizers, losses and schedules of one's own, beside ours, told apart by their source."""

from collections.abc import Callable
from pathlib import Path

import own_recipe_parts as parts
import pytest
import torch
from torch import nn
from typer.testing import Result

from fashionbench.config.recipe import Recipe, load_recipe, own_parts
from fashionbench.data.split import Split
from fashionbench.errors import UsageError
from fashionbench.experiments.comparison import compare
from fashionbench.experiments.planning import plan
from fashionbench.models.build import build_model
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.members import fit_members
from fashionbench.training.many_seeds.trial import why_not_stackable
from fashionbench.training.own_parts import find_schedule, identify_parts

FILE = Path(parts.__file__)
DEFAULT = load_recipe("default").override(epochs=1, batch_size=50)


def own(name: str) -> str:
    return f"{FILE}:{name}"


def train(model: str, data: Split, recipe: Recipe, seed: int = 0) -> nn.Module:
    built = build_model(model, seed)
    fit(built, data, recipe, seed, device="cpu")
    return built


def assert_alike(one: nn.Module, other: nn.Module) -> None:
    for (name, a), (_, b) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("settings", [{}, {"weight_decay": 0.1}, {"schedule": "cosine"}])
def test_sgd_written_out_trains_as_the_built_in_one(settings: dict, few: Split) -> None:
    recipe = DEFAULT.override(**settings)
    assert_alike(
        train("mlp", few, recipe.override(optimizer=own("PlainSGD"))), train("mlp", few, recipe)
    )


def test_a_loss_of_torchs_trains_as_the_built_in_one(few: Split) -> None:
    ours = train("mlp", few, DEFAULT.override(label_smoothing=0.1))
    assert_alike(train("mlp", few, DEFAULT.override(loss=own("Smooth"))), ours)


def test_a_schedule_is_the_shape_of_the_rate() -> None:
    recipe = DEFAULT.override(schedule=own("trapezoid"), epochs=2)
    shape = find_schedule(recipe)
    rates = [recipe.learning_rate_at(step, 4, shape) for step in range(8)]
    assert rates == pytest.approx([0.1 * share for share in (0.5, 1, 1, 1, 1, 1, 1, 0.5)])


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": own("SignSGD"), "learning_rate": 0.001},
        {"loss": own("focal")},
        {"loss": own("Smooth"), "mixing": "none"},
        {"loss": own("focal"), "mixing": "mixup:0.2", "schedule": own("trapezoid")},
    ],
)
def test_members_train_as_alone(settings: dict, few: Split) -> None:
    recipe = DEFAULT.override(**settings)
    assert why_not_stackable(lambda seed: build_model("mlp", seed), few, recipe) is None
    members = [build_model("mlp", seed) for seed in (0, 1, 2)]
    fit_members(members, few, recipe, [0, 1, 2], device="cpu")
    assert_alike(members[2], train("mlp", few, recipe, 2))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"optimizer": own("ByNorm")}, "its optimizer takes another step with several members"),
        ({"loss": own("by_python")}, ""),
    ],
)
def test_what_cannot_be_stacked_is_found_out(settings: dict, reason: str, few: Split) -> None:
    why = why_not_stackable(lambda s: build_model("mlp", s), few, DEFAULT.override(**settings))
    assert why is not None
    assert reason in why


@pytest.mark.parametrize(
    ("setting", "name", "message"),
    [
        ("optimizer", "NoOptimizer", "is no subclass of torch.optim.Optimizer"),
        ("optimizer", "Idle", "leaves all weights as they are"),
        ("optimizer", "NeedsClosure", "cannot be used as optimizer: .*closure"),
        ("optimizer", "OwnRate", r"even at a rate of 0.*read the rate from group\['lr'\]"),
        ("loss", "rows_of_two", r"answers \(6, 4\) logits with \(6, 4\)"),
        ("loss", "no_gradient", "not finite or has no gradient"),
        ("loss", "trapezoid", "cannot be used as loss"),
        ("schedule", "negative", "gives -.* at step 2 of 10"),
        ("loss", "focl", "has no class or function 'focl'; it defines"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    setting: str, name: str, message: str
) -> None:
    recipe = DEFAULT.override(**{setting: own(name)})
    with pytest.raises(UsageError, match=message) as refusal:
        identify_parts(recipe)
    assert "\n" not in str(refusal.value)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(UsageError, match="label_smoothing is cross-entropy's"):
        DEFAULT.override(loss=own("focal"), label_smoothing=0.1)
    with pytest.raises(UsageError, match="SignSGD takes no weight_decay"):
        identify_parts(DEFAULT.override(optimizer=own("SignSGD"), weight_decay=0.1))
    with pytest.raises(UsageError, match="gives the mean of losses, but mixing"):
        identify_parts(DEFAULT.override(loss=own("Smooth"), mixing="mixup"))
    with pytest.raises(UsageError, match=r"optimizer is 'sdg', but there are sgd, .*file\.py:Name"):
        DEFAULT.override(optimizer="sdg")


def test_an_edited_source_is_another_recipe(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"

    def key() -> str:
        study = plan(["v0"], ["default"], 1, dataset="silhouettes", loss=f"{file}:focal")
        return next(study.entries())[0].key

    file.write_text(FILE.read_text())
    before = key()
    assert key() == before
    file.write_text(FILE.read_text().replace("** 2", "** 3"))
    assert key() != before


def test_classes_and_functions_are_taken_from_python() -> None:
    study = plan(
        ["v0"], ["default"], 1, dataset="silhouettes", optimizer=parts.SignSGD, loss=parts.focal
    )
    named = ["own_recipe_parts:SignSGD", "own_recipe_parts:focal"]
    assert own_parts(study.recipes[0]) == named
    assert study.recipe_sources[0].count("+") == 1
    with pytest.raises(UsageError, match="The loss cannot be found again by its name"):
        plan(["v0"], ["default"], 1, dataset="silhouettes", loss=lambda x, y: x.sum())


def test_they_stand_in_a_recipe_beside_ours(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        f'optimizer = "{own("SignSGD")}"\nlearning_rate = 0.001\nloss = "{own("focal")}"\n'
        f'schedule = "{own("trapezoid")}"\n'
    )
    result = compare(
        ["mlp", f"mlp@{tmp_path}/mine.toml"],
        seeds=4,
        dataset="silhouettes",
        epochs=2,
        out=tmp_path / "runs",
        device="cpu",
    )
    accuracies = [entry.runs[0].scores.accuracy for entry in result.entries]
    assert min(accuracies) > 0.4
    ways = {run.environment.way for run in result.entries[1].runs}
    assert "stacked with 1" in ways or "alone" in ways
    assert [run.engine for run in result.entries[1].runs] == ["torch"] * 4


def test_the_example_can_be_used() -> None:
    example = Path(__file__).parent.parent / "examples" / "own_recipe.py"
    recipe = DEFAULT.override(
        optimizer=f"{example}:SignSGD", loss=f"{example}:focal", schedule=f"{example}:trapezoid"
    )
    assert identify_parts(recipe).count("+") == 2


def test_the_command_line_takes_them(call_cli: Callable[..., Result], tmp_path: Path) -> None:
    arguments = (
        "train",
        "linear",
        "--dataset",
        "silhouettes",
        "--train-images",
        100,
        "--epochs",
        1,
    )
    answer = call_cli(*arguments, "--optimizer", own("SignSGD"), "--lr", 0.001, "--out", "t")
    assert answer.exit_code == 0, answer.output
    answer = call_cli(*arguments, "--loss", own("no_gradient"), "--out", "u")
    assert answer.exit_code == 2
