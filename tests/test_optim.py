"""The optimizers' table against torch's own."""

from typing import get_args

import pytest
import torch

from fashionbench.config import OptimizerName, load_recipe
from fashionbench.models import build_model
from fashionbench.optim import OPTIMIZERS, build_optimizer


def test_the_table_has_every_name_a_recipe_may_use() -> None:
    assert set(OPTIMIZERS) == set(get_args(OptimizerName))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_torchs_plain_implementation(name: OptimizerName) -> None:
    recipe = load_recipe("seed").override(optimizer=name, learning_rate=0.01)
    ours, theirs = build_model("mlp", 0), build_model("mlp", 0)
    steppers = [
        (ours, build_optimizer(ours.parameters(), recipe)),
        (theirs, OPTIMIZERS[name](theirs.parameters(), lr=0.01, foreach=False)),
    ]
    images = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for model, optimizer in steppers:
        for _ in range(3):
            optimizer.zero_grad()
            model(images).square().mean().backward()
            optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)
