"""A step against torch's own, and how many threads it is worth."""

import copy

import pytest
import torch
import torch.nn.functional as F
from factories import small_model

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split
from fashionbench.models.build import build_model
from fashionbench.training.batch import Batch
from fashionbench.training.step import Step, useful_threads, warm_up

DEFAULT = load_recipe("default")


def test_a_step_is_one_of_torchs_optimizer_and_gives_the_loss_before_it() -> None:
    ours = small_model()
    theirs = copy.deepcopy(ours)
    batch = Batch(torch.rand(8, 1, 7, 7), torch.arange(8) % 4)
    optimizer = torch.optim.SGD(theirs.parameters(), DEFAULT.learning_rate)
    expected = F.cross_entropy(theirs(batch.images), batch.labels)
    expected.backward()
    optimizer.step()
    assert Step(ours, DEFAULT, 1)(batch).item() == pytest.approx(expected.item())
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_warm_up_leaves_the_model_and_torchs_generator_alone(few: Split) -> None:
    model = build_model("mlp", seed=0)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    assert warm_up(model, few, DEFAULT) > 0
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_small_net_is_worth_one_thread_and_convolutions_are_worth_all() -> None:
    expected = {"v0": 1, "v1": 1, "mlp": 1, "v2": None, "lenet": None, "mlp-wide": None}
    assert {name: useful_threads(build_model(name), DEFAULT) for name in expected} == expected
    large = DEFAULT.override(batch_size=1024)
    assert useful_threads(build_model("v0"), large) is None
