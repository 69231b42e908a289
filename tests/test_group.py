"""Both strategies keep one contract about what the models hold, and when."""

import copy

import pytest
import torch

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split
from fashionbench.models.build import build_model
from fashionbench.training.batches import epoch_batches
from fashionbench.training.many_seeds.group import GROUPS, Strategy
from fashionbench.training.step import Step

RECIPE = load_recipe("default").override(ema=0.5)


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize("strategy", GROUPS)
def test_models_hold_their_running_means_within_averaged_and_once_they_are_left_out(
    strategy: Strategy, few: Split
) -> None:
    models = [build_model("v1", seed) for seed in range(3)]
    alone = copy.deepcopy(models)
    group = GROUPS[strategy](models, [RECIPE] * 3, 16, (28, 28))
    steps = [Step(model, RECIPE, 16) for model in alone]
    rows = [0, 1, 2]
    for going in ([0, 2], [2], []):
        batch = next(epoch_batches(few, RECIPE, rows, 0))
        losses = group.step(batch)
        for loss, row, part in zip(losses, rows, batch.chunk(len(rows)), strict=True):
            torch.testing.assert_close(loss, steps[row](part))
        with group.averaged():
            for row in rows:
                with steps[row].updater.averaged():
                    assert_same(models[row], alone[row])
        group.select([rows.index(row) for row in going])
        for row in set(rows) - set(going):
            steps[row].updater.use_average()
        rows = going
    for model, expected in zip(models, alone, strict=True):
        assert_same(model, expected)


def assert_same(found: torch.nn.Module, expected: torch.nn.Module) -> None:
    for a, b in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(a, b)
