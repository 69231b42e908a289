"""Members of a stack end where runs of their own end, and do not touch each other."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Dataset, Split
from fashionbench.models.build import build_model
from fashionbench.training.evaluation import evaluate
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.members import fit_members
from fashionbench.training.many_seeds.trial import why_not_stackable

RECIPE = load_recipe("default").override(epochs=2)
SEEDS = (0, 1, 7)
DEVICES = (
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
    ),
)
SMALL = ("v0", "v1", "v2", "mlp", "lenet")
"""Models that train in no time; the others are made of the same layers."""


def flat(model: nn.Module) -> torch.Tensor:
    return torch.cat([tensor.flatten().double() for tensor in model.state_dict().values()])


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().cpu().flatten() for parameter in model.parameters()])


class Normed(nn.Sequential):
    """With batch statistics and running ones."""

    def __init__(self) -> None:
        super().__init__(
            nn.Flatten(), nn.Linear(784, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10)
        )


class Dropping(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10))


def built(name: str, seed: int) -> nn.Module:
    if name != "normed":
        return build_model(name, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Normed()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        *((name, "sgd") for name in [*SMALL, "normed"]),
        *(("mlp", name) for name in OPTIMIZERS if name != "sgd"),
    ],
)
def test_a_member_ends_where_its_own_run_ends(name: str, optimizer: str, few: Split) -> None:
    # Adaptive rules divide by small numbers: rounding then moves a weight as a step does.
    recipe = RECIPE.override(optimizer=optimizer)
    singles, members = ([built(name, seed) for seed in SEEDS] for _ in range(2))
    starts = [flat(model) for model in singles]
    alone = [
        fit(model, few, recipe, seed, device="cpu")
        for model, seed in zip(singles, SEEDS, strict=True)
    ]
    together = fit_members(members, few, recipe, SEEDS, device="cpu")
    for start, a, b in zip(starts, singles, members, strict=True):
        assert [*a.state_dict()] == [*b.state_dict()]
        moved = (flat(a) - start).abs().max()
        assert (flat(a) - flat(b)).abs().max() < 0.02 * moved
    for a, b in zip(alone, together, strict=True):
        assert b.train_seconds is None
        assert a.epochs == b.epochs
        torch.testing.assert_close(
            torch.tensor(a.curve), torch.tensor(b.curve), rtol=1e-2, atol=1e-3
        )


@pytest.mark.slow
def test_a_member_has_everything_a_recipe_can_ask_for_as_its_own_run(few: Split) -> None:
    recipe = RECIPE.override(
        epochs=4,
        momentum=0.9,
        learning_rate=0.02,
        weight_decay=0.01,
        gradient_clip=1,
        schedule="cosine",
        warm_up=1,
        label_smoothing=0.1,
        augmentation="flip,shift:2,rotate:10,cutout:6",
        mixing="cutmix:1",
        ema=0.9,
        validation_images=100,
    )
    singles, members = ([built("normed", seed) for seed in SEEDS] for _ in range(2))
    alone = [
        fit(model, few, recipe, seed, device="cpu")
        for model, seed in zip(singles, SEEDS, strict=True)
    ]
    together = fit_members(members, few, recipe, SEEDS, device="cpu")
    for a, b in zip(singles, members, strict=True):
        torch.testing.assert_close(flat(a), flat(b), rtol=1e-3, atol=1e-4)
    for first, second in zip(alone, together, strict=True):
        losses = [[loss for _, loss, _ in run.validation_curve] for run in (first, second)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["mlp-wide:width=16:dropout=0", "resnet20:width=4"])
def test_batch_normalization_in_bf16_is_stacked_too(name: str, device: str, few: Split) -> None:
    # Two steps: a run in bf16 soon goes a way of its own, as far from itself as from one in fp32.
    recipe = RECIPE.override(epochs=1, batch_size=16, precision="bf16", learning_rate=0.01)
    recipe = recipe.override(train_images=20)
    singles, members = ([build_model(name, seed) for seed in SEEDS] for _ in range(2))
    starts = [weights(model) for model in singles]
    assert why_not_stackable(partial(build_model, name), few.to(device), recipe) is None
    for model, seed in zip(singles, SEEDS, strict=True):
        fit(model, few, recipe, seed, device=device)
    fit_members(members, few, recipe, SEEDS, device=device)
    for start, a, b in zip(starts, singles, members, strict=True):
        assert (weights(a) - weights(b)).norm() < 0.3 * (weights(a) - start).norm()


@pytest.mark.slow
def test_each_member_stops_on_its_own_with_its_best_weights(few: Split) -> None:
    # A rate too high for some: their validation losses turn up at different epochs.
    recipe = RECIPE.override(epochs=12, learning_rate=0.3, validation_images=150, patience=1)
    seeds = tuple(range(6))
    singles, members = ([build_model("mlp", seed) for seed in seeds] for _ in range(2))
    alone = [
        fit(model, few, recipe, seed, device="cpu")
        for model, seed in zip(singles, seeds, strict=True)
    ]
    together = fit_members(members, few, recipe, seeds, device="cpu")
    assert len({run.epochs for run in alone}) > 1
    assert [run.epochs for run in together] == [run.epochs for run in alone]
    for run in alone:
        assert run.best_epoch(recipe) == run.epochs - 1 or run.epochs == recipe.epochs
    for a, b in zip(singles, members, strict=True):
        torch.testing.assert_close(flat(a), flat(b), rtol=1e-2, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["v0", "v1", "mlp"])
def test_a_member_is_as_accurate_as_its_own_run(name: str, silhouettes: Dataset) -> None:
    singles, members = ([build_model(name, seed) for seed in SEEDS] for _ in range(2))
    for model, seed in zip(singles, SEEDS, strict=True):
        fit(model, silhouettes.train, RECIPE, seed, device="cpu")
    fit_members(members, silhouettes.train, RECIPE, SEEDS, device="cpu")
    for a, b in zip(singles, members, strict=True):
        accuracies = [evaluate(model, silhouettes.test).accuracy for model in (a, b)]
        assert accuracies[0] == pytest.approx(accuracies[1], abs=0.01)


def test_dropout_drops_other_numbers_in_each_member(few: Split) -> None:
    first = Dropping()
    members = [first, copy.deepcopy(first)]
    fit_members(members, few, RECIPE, (3, 3), device="cpu")  # alike but for what is dropped
    assert not torch.equal(flat(members[0]), flat(members[1]))


def test_dropout_is_the_same_every_time(few: Split) -> None:
    first = Dropping()
    runs = []
    for _ in range(2):
        members = [copy.deepcopy(first) for _ in range(2)]
        fit_members(members, few, RECIPE, (0, 1), device="cpu")
        runs.append(flat(members[1]))
    assert torch.equal(*runs)


@pytest.mark.slow
def test_a_member_that_diverges_leaves_the_others_alone(few: Split) -> None:
    healthy, sick = build_model("mlp", 0), build_model("mlp", 1)
    with torch.no_grad():
        next(sick.parameters()).fill_(torch.nan)
    single = build_model("mlp", 0)
    fit(single, few, RECIPE, 0, device="cpu")
    results = fit_members([healthy, sick], few, RECIPE, (0, 1), device="cpu")
    assert [result.diverged for result in results] == [False, True]
    assert [result.epochs for result in results] == [2, 1]
    torch.testing.assert_close(flat(healthy), flat(single), rtol=0, atol=1e-4)


def test_validation_images_are_watched_by_each_member(few: Split) -> None:
    recipe = RECIPE.override(validation_images=100)
    members = [build_model("v0", seed) for seed in SEEDS]
    results = fit_members(members, few, recipe, SEEDS, device="cpu")
    single = fit(build_model("v0", 1), few, recipe, 1, device="cpu")
    torch.testing.assert_close(
        torch.tensor(results[1].validation_curve),
        torch.tensor(single.validation_curve),
        rtol=1e-3,
        atol=0.011,
    )


def test_torchs_own_generator_is_left_alone(few: Split) -> None:
    models = [Dropping(), Dropping()]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit_members(models, few, RECIPE, (0, 1), device="cpu")
    assert torch.equal(torch.rand(3), expected)


class Half(nn.Sequential):
    """Its first layer stays as it is; a buffer of it is in no state dict."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10))
        self[1].requires_grad_(False)
        self[1].register_buffer("seen", torch.zeros(()), persistent=False)


@pytest.mark.parametrize("own", [False, True])
def test_what_is_frozen_stays_so_and_buffers_need_not_be_saved(own: bool, few: Split) -> None:
    recipe = RECIPE.override(epochs=3, validation_images=100, patience=1, learning_rate=0.3)
    models = [Half() if own else nn.Sequential(*Half()) for _ in range(3)]
    before = [model[1].weight.clone() for model in models]
    alone = copy.deepcopy(models[1])
    assert why_not_stackable(lambda seed: copy.deepcopy(alone), few, recipe) is None
    fit_members(models, few, recipe, SEEDS, device="cpu")
    fit(alone, few, recipe, SEEDS[1], device="cpu")
    for model, weight in zip(models, before, strict=True):
        assert torch.equal(model[1].weight, weight)
    torch.testing.assert_close(models[1][3].weight, alone[3].weight)
