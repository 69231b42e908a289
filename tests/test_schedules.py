"""Schedules against torch's own."""

from itertools import pairwise

import pytest
import torch
from torch.optim import lr_scheduler

from fashionbench.config.recipe import load_recipe
from fashionbench.config.schedules import SCHEDULES

STEPS_AN_EPOCH, EPOCHS = 20, 6
STEPS = STEPS_AN_EPOCH * EPOCHS
RECIPE = load_recipe("default").override(epochs=EPOCHS, learning_rate=1)


def by_torch(build) -> list[float]:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = build(optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


TORCHS = {
    "constant": lambda o: lr_scheduler.ConstantLR(o, factor=1),
    "step": lambda o: lr_scheduler.MultiStepLR(o, [STEPS // 2, STEPS * 3 // 4]),
    "linear": lambda o: lr_scheduler.LinearLR(o, 1, 0, total_iters=STEPS),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS),
    "one-cycle": lambda o: lr_scheduler.OneCycleLR(
        o, max_lr=1, total_steps=STEPS + 1, cycle_momentum=False
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_torchs(name: str) -> None:
    recipe = RECIPE.override(schedule=name)
    ours = [recipe.learning_rate_at(step, STEPS_AN_EPOCH) for step in range(STEPS)]
    # torch's one-cycle needs a step more than it takes; its peak is then a third of a step later.
    assert ours == pytest.approx(by_torch(TORCHS[name]), abs=0.02 if name == "one-cycle" else 1e-6)


def test_one_cycle_ends_where_torchs_does() -> None:
    recipe = RECIPE.override(schedule="one-cycle")
    factors = [recipe.learning_rate_at(step, STEPS_AN_EPOCH) for step in range(STEPS)]
    assert factors[0] == pytest.approx(1 / 25)
    assert max(factors) == pytest.approx(1)
    assert factors[-1] == pytest.approx(1 / 25 / 1e4)


def test_a_warm_up_rises_in_equal_steps_to_the_schedules_first_rate() -> None:
    recipe = RECIPE.override(schedule="cosine", warm_up=0.5)
    factors = [recipe.learning_rate_at(step, STEPS_AN_EPOCH) for step in range(STEPS)]
    rises = [b - a for a, b in pairwise(factors[:11])]
    assert rises == pytest.approx([rises[0]] * 10)
    assert factors[10] == 1
    assert factors[0] == pytest.approx(1 / 11)
    assert all(a > b for a, b in pairwise(factors[10:]))
