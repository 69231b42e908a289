"""Copies are whole, compute for themselves, and can be had of every network."""

from collections.abc import Callable

import own_nets
import pytest
import torch
from torch import nn

from fashionbench.core.copies import copy_model, copy_skeleton

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")


@pytest.mark.parametrize("build", [own_nets.Pruned, own_nets.OldNorm])
def test_a_copy_computes_its_own_weights(build: Callable[[], nn.Module]) -> None:
    model = build()
    copied = copy_model(model)
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(copied(images), model(images))
    copied(images).sum().backward()
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.mul_(2)
    assert not torch.equal(copied(images), model(images))


def test_what_cannot_be_copied_is_built_anew_with_the_same_weights() -> None:
    model = own_nets.Uncopyable()
    with pytest.raises(TypeError, match="lock"):
        copy_model(model)
    other = copy_model(model, own_nets.Uncopyable)
    assert torch.equal(other.a.weight, model.a.weight)
    assert other is not model


class Reaching(nn.Linear):
    """Has a hook that changes the net that it was made for, also where a copy of it is called."""

    def __init__(self) -> None:
        super().__init__(3, 3)
        self.register_buffer("calls", torch.zeros(()))
        self.register_forward_hook(lambda *_: self.calls.add_(1))


def test_what_would_reach_for_the_original_from_a_copy_is_built_anew() -> None:
    model = Reaching()
    other = copy_model(model, Reaching)
    assert torch.equal(other.weight, model.weight)
    other(torch.ones(1, 3))
    assert (other.calls, model.calls) == (1, 0)


def test_a_skeleton_holds_no_numbers_and_keeps_ties() -> None:
    model = own_nets.Tied()
    skeleton = copy_skeleton(model)
    assert all(tensor.is_meta for tensor in skeleton.parameters())
    assert skeleton.c.weight is skeleton.b.weight
    assert model.c.weight is model.b.weight
