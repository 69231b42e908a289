"""What can be stacked, what that gains, and how many fit: tried before it is done."""

from collections.abc import Callable
from functools import partial

import own_nets
import pytest
import torch
from factories import Asking
from torch import nn

from fashionbench.config.recipe import load_recipe
from fashionbench.core.global_state import seeded
from fashionbench.data.split import Dataset, Split
from fashionbench.models.build import build_model
from fashionbench.training.batch import Batch
from fashionbench.training.kernels.compiler import SWITCH
from fashionbench.training.many_seeds.stack import Stack
from fashionbench.training.many_seeds.trial import (
    measure_speedup,
    members_in_memory,
    why_not_stackable,
)

RECIPE = load_recipe("default").override(epochs=2)


def test_what_cannot_be_stacked_is_told(few: Split) -> None:
    reason = why_not_stackable(lambda seed: Asking(), few, RECIPE)
    assert reason is not None
    assert "item" in reason
    assert why_not_stackable(partial(build_model, "v2"), few, RECIPE) is None


class Annealed(nn.Sequential):
    """Changes in every step something that is no tensor."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
        self.heat = 1.0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.heat *= 0.9
        return super().forward(images) / self.heat


def test_a_model_that_changes_what_is_no_tensor_is_not_stacked(few: Split) -> None:
    reason = why_not_stackable(lambda seed: Annealed(), few, RECIPE)
    assert reason is not None
    assert "changes heat" in reason


SHARED = {
    "RandomFeatures": "differ in features",
    "RandomArray": "differ in features",
    "DrawnWidth": "",
    "RunningMean": "changes mean",
    "Scale": "changes scale",
    "Memory": "",
    "Activations": "changes last",
    "Counting": "changes Counting.steps",
    "SharedDict": "changes SharedDict.<WARMTH>",
    "DropsByPython": "draws from Python's random",
    "DropsByNumPy": "draws from numpy.random",
    "OwnGenerator": "changes rng",
    "Unseeded": "not what it is alone",
    "DropsAlways": "draws random numbers also where nothing is trained",
    "FirstBatch": "item",
    "NewNorm": "batching rule",
    "LateStart": "",
}
ALONE = ["Plain", "InBuffers", "LogSoftmaxOut", "HeadFirst", "Tied", "FlatView"]


def builder_of(name: str) -> Callable[[int], nn.Module]:
    def build(seed: int) -> nn.Module:
        with seeded(seed):
            return getattr(own_nets, name)()

    return build


@pytest.mark.parametrize("name", SHARED)
def test_what_members_would_share_is_not_stacked(name: str, few: Split) -> None:
    reason = why_not_stackable(builder_of(name), few, RECIPE)
    assert reason
    assert SHARED[name] in reason


@pytest.mark.parametrize("name", ALONE)
def test_what_members_have_for_themselves_is_stacked(name: str, few: Split) -> None:
    assert why_not_stackable(builder_of(name), few, RECIPE) is None


def test_a_step_that_is_another_in_a_stack_is_seen(
    few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = partial(build_model, "mlp")
    assert why_not_stackable(build, few, RECIPE) is None
    step = Stack._differentiate

    def wrong(stack: Stack, batch: Batch) -> torch.Tensor:
        losses = step(stack, batch)
        stack.parameters["layer_stack.1.weight"].grad[1] *= 1.01
        return losses

    monkeypatch.setenv(SWITCH, "off")
    monkeypatch.setattr(Stack, "_differentiate", wrong)
    monkeypatch.setattr("fashionbench.training.many_seeds.stack.can_be_traced", lambda *_: False)
    reason = why_not_stackable(build, few, RECIPE)
    assert reason == "a step of one of them in a stack is not what it is alone"


@pytest.mark.slow
@pytest.mark.parametrize("images", [20, 6000])  # less than a batch, and many
def test_what_stacking_gains_is_tried_out(silhouettes: Dataset, images: int) -> None:
    readings = iter([0.0, 2.0, 10.0, 10.5])  # 2 s for eight together, half a second for one
    build, clock = partial(build_model, "v2"), readings.__next__
    data = Split(silhouettes.train.images[:images], silhouettes.train.labels[:images])
    assert measure_speedup(build, data, RECIPE, 8, clock=clock) == 8 * 0.5 / 2


def test_groups_stay_within_half_of_the_free_memory(few: Split) -> None:
    def with_megabytes(megabytes: int) -> int:
        return members_in_memory(partial(build_model, "v2"), few, RECIPE, megabytes << 20)

    # V2 keeps at least its eight activations: 2 (10 x 28 x 28) twice and as many of 14 x 14.
    least = 32 * 4 * 10 * (4 * 28 * 28 + 4 * 14 * 14)
    assert 1 <= with_megabytes(400) <= (200 << 20) / least
    assert with_megabytes(4000) == pytest.approx(10 * with_megabytes(400), abs=10)
    # Three times the least allows for what autograd keeps beside it, and no more.
    assert with_megabytes(4000) >= (2000 << 20) / (2 * 3 * least)
    assert with_megabytes(1) == 1


class DrawnBuffer(nn.Sequential):
    """Each has its own random scales, which no file holds."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
        self.register_buffer("scales", torch.rand(10), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images) * self.scales


def seeded_buffer(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DrawnBuffer()


def test_buffers_are_stacked_also_where_no_file_holds_them(few: Split) -> None:
    assert why_not_stackable(seeded_buffer, few, RECIPE) is None
