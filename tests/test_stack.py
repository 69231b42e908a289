"""A stack is its members: it computes each one's step, and gives each its weights."""

import copy
from itertools import chain

import pytest
import torch
from torch import nn

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split
from fashionbench.models.build import build_model
from fashionbench.training.batches import epoch_batches
from fashionbench.training.many_seeds.stack import _IN_A_STACK, Stack

RECIPE = load_recipe("default")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "vgg-tiny"])
def test_losses_and_gradients_are_those_of_each_member(name: str, few: Split) -> None:
    members = [build_model(name, seed) for seed in range(3)]
    stack = Stack([build_model(name, seed) for seed in range(3)], [RECIPE] * 3, 1, (28, 28))
    batch = next(iter(epoch_batches(few, RECIPE, range(3), 0)))
    losses = stack.differentiate(batch)
    for row, member in enumerate(members):
        images, labels = (tensor.chunk(3)[row] for tensor in batch.tensors())
        loss = torch.nn.functional.cross_entropy(member(images), labels)
        loss.backward()
        torch.testing.assert_close(losses[row], loss.detach())
        for key, tensor in member.named_parameters():
            found = stack.parameters[key].grad[row]
            torch.testing.assert_close(found, tensor.grad, rtol=1e-3, atol=1e-5)


def test_members_are_given_their_weights_and_can_go_on_without_others(few: Split) -> None:
    members = [build_model("mlp", seed) for seed in range(3)]
    stack = Stack(members, [RECIPE] * 3, 1, (28, 28))
    batch = next(iter(epoch_batches(few, RECIPE, range(3), 0)))
    stack.step(batch)
    with stack.averaged():
        for row, member in enumerate(members):
            for name, tensor in chain(member.named_parameters(), member.named_buffers()):
                assert torch.equal(tensor, stack.parameters[name][row])
    stack.select([2])
    assert stack.models == members[2:]
    assert stack.parameters["layer_stack.1.weight"].shape[0] == 1


LAYERS = {
    nn.Linear: (nn.Linear(6, 4), (8, 6)),
    nn.BatchNorm1d: (nn.BatchNorm1d(6), (8, 6)),
    nn.BatchNorm2d: (nn.BatchNorm2d(6), (8, 6, 3, 3)),
}


@pytest.mark.parametrize("kind", _IN_A_STACK)
@pytest.mark.parametrize("training", [True, False])
def test_a_layer_whose_class_is_exchanged_computes_what_torchs_does(
    kind: type[nn.Module], training: bool
) -> None:
    layer, shape = LAYERS[kind]
    original = copy.deepcopy(layer).train(training)
    exchanged, held = copy.deepcopy(original), {*vars(original)}
    try:
        exchanged.__class__ = _IN_A_STACK[kind]
    except TypeError as error:
        pytest.fail(
            f"torch's {kind.__name__} no longer lets its class be exchanged ({error}): stack.py "
            "needs another way to compute it."
        )
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected, found = original(images), exchanged(images)
    moved = f"torch's {kind.__name__} computes something else than stack.py writes in its place."
    torch.testing.assert_close(found, expected, msg=lambda difference: f"{moved} {difference}")
    for one, other in zip(exchanged.buffers(), original.buffers(), strict=True):
        torch.testing.assert_close(one, other, msg=lambda difference: f"{moved} {difference}")
    assert {*vars(exchanged)} == held, "a class in a stack may differ by its forward alone"
