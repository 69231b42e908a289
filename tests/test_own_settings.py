"""Members with settings of their own end where each would alone, by every rule."""

import pytest
import torch
from factories import small_model, stacked

from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.config.recipe import Recipe, load_recipe
from fashionbench.data.split import Split
from fashionbench.models.build import build_model
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.members import fit_members
from fashionbench.training.own_settings import OWN_SETTINGS, differ, differing_settings
from fashionbench.training.updater import Updater

SEED = load_recipe("seed").override(epochs=2)
OWN = (
    {"learning_rate": 0.01, "weight_decay": 0.1, "warm_up": 0.5},
    {"learning_rate": 0.002, "gradient_clip": 0.5},
    {"learning_rate": 0.03, "weight_decay": 0.01, "gradient_clip": 0.1, "warm_up": 1.5},
)


def settle(recipe: Recipe, optimizer: str) -> list[Recipe]:
    fields = {"optimizer": optimizer, "schedule": "cosine", "ema": 0.9, "epochs": 2}
    return [recipe.override(**fields, **own) for own in OWN]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_members_with_settings_of_their_own_are_updated_as_each_alone(name: str) -> None:
    recipes = settle(SEED, name)
    alone = [small_model() for _ in recipes]
    together = stacked(alone)
    generator = torch.Generator().manual_seed(0)
    targets = [torch.randn(p.shape, generator=generator) for p in together.values()]
    many = Updater(together, {}, recipes[0], 3, stacked=True, own=recipes)
    singles = [
        Updater(dict(model.named_parameters()), {}, recipe, 3)
        for model, recipe in zip(alone, recipes, strict=True)
    ]
    before = [p.detach().clone() for p in many.parameters]
    for _ in range(6):
        pairs = zip(many.parameters, targets, strict=True)
        many.step(sum((p - t).square().sum() for p, t in pairs))
        for k, single in enumerate(singles):
            pairs = zip(single.parameters, targets, strict=True)
            single.step(sum((p - t[k]).square().sum() for p, t in pairs))
    for k, single in enumerate(singles):
        for a, b, start in zip(many.parameters, single.parameters, before, strict=True):
            moved = (b - start[k]).norm()
            assert (a[k] - b).norm() < 1e-4 * moved, "by rounding alone"


def test_a_frozen_parameter_stays_as_it_is() -> None:
    recipes = settle(SEED, "sgd")
    together = stacked([small_model() for _ in recipes])
    first = next(iter(together.values()))
    first.requires_grad_(False)
    before = first.clone()
    many = Updater(together, {}, recipes[0], 3, stacked=True, own=recipes)
    many.step(sum(p.square().sum() for p in many.parameters))
    assert torch.equal(first, before)


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [("v0", "sgd"), ("mlp", "adamw"), ("mlp", "muon"), ("v2", "sgd"), ("vgg-tiny", "adam")],
)
def test_each_member_ends_where_it_would_alone(name: str, optimizer: str, few: Split) -> None:
    """With the C kernels where there is a compiler, and by torch otherwise."""
    recipes = [
        SEED.override(optimizer=optimizer, learning_rate=rate, weight_decay=decay)
        for rate, decay in ((0.002, 0), (0.004, 0.1), (0.001, 0.01))
    ]
    members = [build_model(name, seed) for seed in range(3)]
    fit_members(members, few, recipes, range(3), device="cpu")
    for seed, (recipe, member) in enumerate(zip(recipes, members, strict=True)):
        alone, start = (build_model(name, seed) for _ in range(2))
        fit(alone, few, recipe, seed, device="cpu")
        found, expected, first = (
            torch.cat([p.detach().flatten() for p in model.parameters()])
            for model in (member, alone, start)
        )
        # Rounding grows through 200 steps of Adam, whose first are the gradients' signs.
        assert (found - expected).norm() < 0.05 * (expected - first).norm()


def test_a_member_that_diverges_leaves_and_the_others_go_on_as_before(few: Split) -> None:
    rates = (0.1, 1e6, 0.05)
    recipes = [SEED.override(learning_rate=rate, weight_decay=0.1 * rate) for rate in rates]
    members = [build_model("mlp", seed) for seed in range(3)]
    histories = fit_members(members, few, recipes, range(3), device="cpu")
    assert [history.diverged for history in histories] == [False, True, False]
    assert histories[1].epochs == 1
    for seed in (0, 2):
        alone = build_model("mlp", seed)
        fit(alone, few, recipes[seed], seed, device="cpu")
        pairs = zip(members[seed].parameters(), alone.parameters(), strict=True)
        for a, b in pairs:
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_members_that_share_all_settings_are_trained_at_one_rate() -> None:
    assert not differ([SEED, SEED.renamed("other")])
    for name in OWN_SETTINGS:
        assert differ([SEED, SEED.override(**{name: 0.5})])
    assert not differ([SEED, SEED.override(momentum=0.5)])


def test_what_members_of_a_stack_would_share_is_named() -> None:
    others = [SEED.override(batch_size=64, learning_rate=0.2), SEED.override(momentum=0.5)]
    assert differing_settings([SEED, *others]) == ["batch_size", "momentum"]
    assert differing_settings([SEED, SEED.override(learning_rate=0.2).renamed("other")]) == []


def test_members_of_an_optimizer_of_ones_own_share_its_rate() -> None:
    """Its step may depend on the rate, or on the weights, in any way."""
    own = SEED.model_copy(update={"optimizer": "mine.py:LAMB"})
    others = [own, own.model_copy(update={"learning_rate": 0.2})]
    assert differing_settings(others) == ["learning_rate"]
