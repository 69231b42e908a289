"""The price of bf16 is told where there is one, by a clock of the tests' own."""

import pytest
from torch import nn

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split
from fashionbench.models.build import build_model
from fashionbench.training.bf16 import TRIED, price_of_bf16, warn_of_bf16

BF16 = load_recipe("default").override(precision="bf16")


class Clock:
    """Each step of the first kind takes so many seconds, each of the second one."""

    def __init__(self, seconds: float) -> None:
        self.times = iter(
            [at for step in range(TRIED) for at in (100.0 * step, 100.0 * step + seconds)]
            + [at for step in range(TRIED) for at in (1000.0 + 100 * step, 1001.0 + 100 * step)]
        )

    def __call__(self) -> float:
        return next(self.times)


@pytest.fixture
def model() -> nn.Module:
    return build_model("v2", seed=0)


def test_a_step_in_bf16_is_timed_beside_one_in_fp32(model: nn.Module, few: Split) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert price_of_bf16(model, few, BF16, Clock(12)) == pytest.approx(12)
    assert all((tensor == before[name]).all() for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(("seconds", "told"), [(12.0, True), (1.1, False), (0.5, False)])
def test_it_is_told_where_it_is_worth_it(
    seconds: float, told: bool, model: nn.Module, few: Split
) -> None:
    warning = warn_of_bf16(model, few, BF16, Clock(seconds))
    assert (warning is not None) == told
    if warning:
        assert "12.0 times as long as in fp32" in warning
        assert "--precision fp32" in warning


def test_nothing_is_timed_where_bf16_is_not_used(model: nn.Module, few: Split) -> None:
    assert warn_of_bf16(model, few, load_recipe("default"), clock=lambda: 1 / 0) is None
