"""Losses against cross-entropy with soft targets, written out."""

import pytest
import torch
import torch.nn.functional as F

from fashionbench.config.recipe import load_recipe
from fashionbench.training.batch import Batch
from fashionbench.training.losses import (
    batch_loss,
    batch_losses,
    collect_losses,
    detach_loss,
)

DEFAULT = load_recipe("default")


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_losses_are_those_against_soft_targets(smoothing: float) -> None:
    recipe = DEFAULT.override(label_smoothing=smoothing)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 10, generator=generator)
    labels, partners = torch.randint(0, 10, (2, 6), generator=generator)
    shares = torch.rand(6, generator=generator)
    own, other = F.one_hot(labels, 10), F.one_hot(partners, 10)
    targets = shares[:, None] * own + (1 - shares[:, None]) * other
    targets = (1 - smoothing) * targets + smoothing / 10
    expected = -(targets * logits.log_softmax(dim=1)).sum(dim=1)
    batch = Batch(torch.zeros(6, 1, 28, 28), labels, partners, shares)
    torch.testing.assert_close(batch_losses(logits, batch, recipe), expected)
    torch.testing.assert_close(batch_loss(logits, batch, recipe), expected.mean())
    soft = (1 - smoothing) * own + smoothing / 10
    expected = -(soft * logits.log_softmax(dim=1)).sum(dim=1)
    plain = Batch(batch.images, labels)
    torch.testing.assert_close(batch_losses(logits, plain, recipe), expected)
    torch.testing.assert_close(batch_loss(logits, plain, recipe), expected.mean())


@pytest.mark.parametrize("shape", [(), (3,)])
def test_the_losses_of_an_epoch_are_those_of_its_steps(shape: tuple[int, ...]) -> None:
    losses = [torch.rand(shape) for _ in range(4)]
    joined = collect_losses([detach_loss(loss) for loss in losses])
    assert torch.equal(joined, torch.stack(losses))
    assert isinstance(detach_loss(torch.rand((), device="meta")), torch.Tensor)
