"""Steps of members are those of each alone; clipping, running means, and states that go on."""

import copy

import pytest
import torch
from factories import small_model, stacked
from torch import nn

from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.config.recipe import Recipe, load_recipe
from fashionbench.training.updater import Updater

DEFAULT = load_recipe("default")
IMAGES = torch.rand(8, 1, 7, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_members_are_updated_as_each_alone(name: str) -> None:
    recipe = DEFAULT.override(
        optimizer=name, weight_decay=0.05, gradient_clip=0.5, ema=0.9, schedule="cosine", epochs=4
    )
    alone = [small_model() for _ in range(3)]
    together = stacked(alone)
    generator = torch.Generator().manual_seed(0)
    targets = [torch.randn(p.shape, generator=generator) for p in together.values()]
    many = Updater(together, {}, recipe, 2, stacked=True)
    singles = [Updater(dict(model.named_parameters()), {}, recipe, 2) for model in alone]
    for _ in range(6):
        many.step(
            sum((p - t).square().sum() for p, t in zip(many.parameters, targets, strict=True))
        )
        for k, single in enumerate(singles):
            pairs = zip(single.parameters, targets, strict=True)
            single.step(sum((p - t[k]).square().sum() for p, t in pairs))
    for k, single in enumerate(singles):
        assert_row(many, k, single)
        with many.averaged(), single.averaged():
            assert_row(many, k, single)


def assert_row(many: Updater, row: int, single: Updater) -> None:
    for a, b in zip(many.parameters, single.parameters, strict=True):
        torch.testing.assert_close(a[row], b, rtol=1e-4, atol=1e-5)


def updater(recipe: Recipe) -> tuple[nn.Parameter, Updater]:
    parameter = nn.Parameter(torch.tensor([3.0, 4.0]))
    return parameter, Updater({"p": parameter}, {}, recipe, 10)


def test_a_gradient_is_clipped_to_the_norm_asked_for() -> None:
    parameter, run = updater(DEFAULT.override(learning_rate=1, gradient_clip=0.5))
    run.step(10 * parameter.sum())
    torch.testing.assert_close(parameter.detach(), torch.tensor([3.0, 4.0]) - 0.5 / 2**0.5)


def test_a_small_gradient_is_not_clipped() -> None:
    parameter, run = updater(DEFAULT.override(learning_rate=1, gradient_clip=5))
    run.step(parameter.sum())
    torch.testing.assert_close(parameter.detach(), torch.tensor([2.0, 3.0]))


def test_the_running_mean_of_weights_is_what_its_definition_says() -> None:
    parameter, run = updater(DEFAULT.override(learning_rate=0.1, ema=0.5))
    mean = parameter.detach().clone()
    for step in range(1, 21):
        run.step(parameter.square().sum())
        decay = min(0.5, step / (step + 9))
        mean = decay * mean + (1 - decay) * parameter.detach()
    weights = parameter.detach().clone()
    with run.averaged():
        torch.testing.assert_close(parameter.detach(), mean)
        assert not torch.allclose(mean, weights)
    torch.testing.assert_close(parameter.detach(), weights)
    run.use_average()
    torch.testing.assert_close(parameter.detach(), mean)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_copied_state_goes_on_bit_for_bit(name: str) -> None:
    recipe = DEFAULT.override(
        optimizer=name, ema=0.9, weight_decay=0.1, schedule="cosine", epochs=2
    )

    def begin(model: nn.Module) -> Updater:
        return Updater(dict(model.named_parameters()), {}, recipe, 4)

    def go(model: nn.Module, run: Updater) -> None:
        for _ in range(3):
            run.step(model(IMAGES).square().mean())
        run.use_average()

    first = small_model()
    run = begin(first)
    for _ in range(3):
        run.step(first(IMAGES).square().mean())
    second, state = copy.deepcopy(first), copy.deepcopy(run.state_dict())
    go(first, run)
    later = begin(second)
    later.load_state_dict(state)
    go(second, later)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
