"""Head first, then layer by layer: what is frozen stays, what is slower moves less."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from fashionbench.config.recipe import Recipe, load_recipe
from fashionbench.data.split import Split
from fashionbench.errors import UsageError
from fashionbench.models.adapter import Adapter
from fashionbench.models.build import build_model
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.trial import why_not_stackable
from fashionbench.training.transfer import freeze_layers, probe, rate_factors, stages
from fashionbench.training.updater import Updater

PLAIN = load_recipe("default").override(epochs=1)
NET = "resnet20:width=4"


def tiny() -> nn.Module:
    """Four stages: convolution and norm, convolution, linear, linear."""
    return nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.Conv2d(2, 2, 3, stride=4),
        nn.Flatten(),
        nn.Linear(72, 5),
        nn.Linear(5, 10),
    )


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(model.state_dict())


def test_stages_go_from_input_to_head_with_their_norms() -> None:
    model = build_model(NET)
    names = {module: name for name, module in model.named_children()}
    found = [[names[part] for part in stage] for stage in stages(model)]
    assert found == [["conv1", "bn1"], ["layer1"], ["layer2"], ["layer3"], ["linear"]]
    assert stages(Adapter(model, 1, 28)) == stages(model)


def test_rates_fall_towards_the_input_and_a_first_step_shows_it() -> None:
    model, recipe = tiny(), PLAIN.override(layer_decay=0.5, learning_rate=0.01)
    factors = rate_factors(model, recipe)
    assert factors == [0.125] * 4 + [0.25] * 2 + [0.5] * 2 + [1.0] * 2
    before = [p.detach().clone() for p in model.parameters()]
    updater = Updater(dict(model.named_parameters()), {}, recipe, 1, factors=factors)
    loss = model(torch.rand(8, 1, 28, 28)).square().mean()
    gradients = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
    updater.step(loss)
    for p, old, gradient, factor in zip(
        model.parameters(), before, gradients, factors, strict=True
    ):
        torch.testing.assert_close(p.detach(), old - 0.01 * factor * gradient)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon", "lion"])
def test_what_is_frozen_does_not_move_and_its_norms_keep_their_statistics(
    few: Split, optimizer: str
) -> None:
    model = tiny()
    before = state(model)
    recipe = load_recipe("default").override(
        epochs=2, optimizer=optimizer, unfreeze_every=2, weight_decay=0.1
    )
    fit(model, few, recipe, device="cpu")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) == (not name.startswith("6.")), name
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_stages_are_opened_one_by_one_and_what_a_person_froze_stays_frozen() -> None:
    model = tiny().train()
    model[3].bias.requires_grad_(False)
    recipe = PLAIN.override(epochs=10, unfreeze_every=2)
    opened = []
    for epoch in range(8):
        model.train()
        with freeze_layers(model, recipe, epoch):
            trained = [n for n, p in model.named_parameters() if p.requires_grad]
            opened.append(sorted({int(name[0]) for name in trained}))
            assert model[1].training == (epoch >= 6)
        assert not model[3].bias.requires_grad
        assert model[3].weight.requires_grad
    assert opened[::2] == [[6], [5, 6], [3, 5, 6], [0, 1, 3, 5, 6]]
    assert opened[1::2] == opened[::2]


@pytest.mark.slow
def test_a_probe_is_training_of_a_net_whose_rest_is_frozen(few: Split) -> None:
    # The same net with all but the head cut off, shown the features as if they were data.
    model, recipe = build_model(NET, seed=2), PLAIN.override(probe_epochs=3, batch_size=500)
    before = state(model)
    twin = copy.deepcopy(model).eval()
    seconds = probe(model, few, recipe, seed=0)
    assert seconds > 0
    optimizer = torch.optim.SGD(twin.linear.parameters(), lr=recipe.learning_rate)
    for _ in range(3):  # one batch an epoch: order does not matter
        optimizer.zero_grad()
        logits = twin(few.images.unsqueeze(1) / 255)
        nn.functional.cross_entropy(logits, few.labels).backward()
        optimizer.step()
    torch.testing.assert_close(model.linear.weight, twin.linear.weight, rtol=1e-3, atol=1e-5)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) == (not name.startswith("linear.")), name


def test_fit_probes_before_the_first_epoch_and_counts_its_time(
    few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fashionbench.training import loop

    seen = []

    def probed(model: nn.Module, training: Split, recipe: Recipe, seed: int) -> float:
        seen.append((len(training), recipe.probe_epochs, seed))
        return 1000.0

    monkeypatch.setattr(loop, "probe", probed)
    recipe = PLAIN.override(probe_epochs=1, validation_images=100)
    result = fit(build_model("v0"), few, recipe, seed=4, device="cpu")
    assert 1000 < result.train_seconds < 1100
    assert seen == [(len(few) - 100, 1, 4)], "validation images are not probed on"


def test_fit_opens_stages_and_lowers_rates_as_the_recipe_says(few: Split) -> None:
    model, states = tiny(), []
    before = state(model)
    fit(
        model,
        few,
        PLAIN.override(epochs=2, unfreeze_every=1),
        device="cpu",
        keep=lambda kept: states.append(copy.deepcopy(kept["model"])),
    )
    moved = [
        [not torch.equal(s[f"{k}.weight"], before[f"{k}.weight"]) for k in (3, 5, 6)]
        for s in states
    ]
    assert moved == [[False, False, True], [False, True, True]]

    one_step = PLAIN.override(batch_size=500, learning_rate=0.01)
    plain, slow = tiny(), tiny()
    for net in (plain, slow):
        net.load_state_dict(before)
    fit(plain, few, one_step, device="cpu")
    fit(slow, few, one_step.override(layer_decay=0.5), device="cpu")
    for name, factor in (("0.weight", 0.125), ("3.weight", 0.25), ("6.weight", 1.0)):
        step, slower = (state(net)[name] - before[name] for net in (plain, slow))
        torch.testing.assert_close(slower, factor * step, rtol=1e-3, atol=1e-7)


def test_logits_that_no_linear_layer_gives_cannot_be_probed(few: Split) -> None:
    with pytest.raises(UsageError, match="do not come straight from a linear layer"):
        probe(build_model("v1"), few, PLAIN.override(probe_epochs=1), 0)


@pytest.mark.parametrize(
    "settings", [{"probe_epochs": 1}, {"unfreeze_every": 1}, {"layer_decay": 0.5}]
)
def test_stacked_members_decline_it(few: Split, settings: dict) -> None:
    recipe = PLAIN.override(**settings)
    assert recipe.trains_layers_apart
    assert (
        why_not_stackable(partial(build_model, "v0"), few, recipe)
        == "its recipe trains layers apart"
    )


@pytest.mark.slow
def test_the_shipped_recipe_opens_all_of_a_resnet_and_repeats_itself(few: Split) -> None:
    shipped: Recipe = load_recipe("transfer")
    assert shipped.epochs > shipped.unfreeze_every * (len(stages(build_model(NET))) - 1)
    recipe = shipped.override(epochs=2, probe_epochs=2, batch_size=250)
    models = [build_model(NET, seed=3) for _ in range(2)]
    for model in models:
        fit(model, few, recipe, seed=1, device="cpu")
    for one, other in zip(*(m.state_dict().values() for m in models), strict=True):
        assert torch.equal(one, other)
