"""The batches of an epoch: every image once, in the seed's order; mixing."""

import pytest
import torch

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split
from fashionbench.training import batches
from fashionbench.training.batches import (
    count_steps,
    epoch_batches,
    epoch_order,
)

DEFAULT = load_recipe("default")


def test_an_epochs_order_is_a_permutation_of_its_own() -> None:
    first, second = epoch_order(1000, 0, 0), epoch_order(1000, 0, 1)
    assert sorted(first.tolist()) == list(range(1000))
    assert not torch.equal(first, second)
    assert not torch.equal(first, epoch_order(1000, 1, 0))


def test_an_epoch_shows_each_image_once_in_the_order_of_its_seed(few: Split) -> None:
    found = list(epoch_batches(few, DEFAULT, [3], 1))
    assert [len(batch.labels) for batch in found] == [32] * 15 + [20]
    assert len(found) == count_steps(len(few), DEFAULT)
    order = epoch_order(len(few), 3, 1)
    images = torch.cat([batch.images for batch in found])
    torch.testing.assert_close(images, few.images[order].unsqueeze(1).float() / 255)
    assert torch.equal(torch.cat([batch.labels for batch in found]), few.labels[order])


@pytest.mark.parametrize("seeds", [[3], [3, 4]])
def test_fewer_images_than_a_batch_are_one_batch(few: Split, seeds: list[int]) -> None:
    fewer = Split(few.images[:7], few.labels[:7])
    (batch,) = epoch_batches(fewer, DEFAULT.override(augmentation="flip"), seeds, 0)
    assert len(batch.labels) == 7 * len(seeds)
    assert sorted(batch.labels.tolist()) == sorted(len(seeds) * fewer.labels.tolist())


def test_the_batches_of_several_runs_are_those_of_each_one_after_another(few: Split) -> None:
    recipe = DEFAULT.override(augmentation="flip,shift:2", mixing="mixup:0.5")
    together = epoch_batches(few, recipe, [0, 5, 9], 2)
    alone = zip(*(epoch_batches(few, recipe, [seed], 2) for seed in (0, 5, 9)), strict=True)
    for many, singles in zip(together, alone, strict=True):
        for name in ("images", "labels", "partners", "shares"):
            expected = torch.cat([getattr(single, name) for single in singles])
            torch.testing.assert_close(getattr(many, name), expected)


@pytest.mark.parametrize("at_once", [1, 200, 100_000])
def test_how_many_images_are_made_at_once_changes_none(
    at_once: int, few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = DEFAULT.override(augmentation="flip,shift:2,erase:0.5", mixing="cutmix:1")
    usual = list(epoch_batches(few, recipe, [0, 5], 2))
    monkeypatch.setattr(batches, "CHUNK", at_once)
    for batch, expected in zip(epoch_batches(few, recipe, [0, 5], 2), usual, strict=True):
        for made, wanted in zip(batch.tensors(), expected.tensors(), strict=True):
            torch.testing.assert_close(made, wanted)


def test_another_epoch_augments_in_another_way(few: Split) -> None:
    recipe = DEFAULT.override(augmentation="shift:3", batch_size=500)
    sums = []
    for epoch in (0, 1):
        (batch,) = epoch_batches(few, recipe, [0], epoch)
        sums.append(batch.images[epoch_order(len(few), 0, epoch).argsort()])
    assert not torch.allclose(*sums)


def test_another_epoch_mixes_in_other_shares(few: Split) -> None:
    recipe = DEFAULT.override(mixing="mixup:1", batch_size=500)
    shares = []
    for epoch in (0, 1):
        (batch,) = epoch_batches(few, recipe, [0], epoch)
        assert batch.shares is not None
        shares.append(batch.shares[epoch_order(len(few), 0, epoch).argsort()])
    assert not torch.allclose(*shares)


def test_a_mixed_batch_pairs_images_within_itself(few: Split) -> None:
    recipe = DEFAULT.override(mixing="mixup:1")
    plain, mixed = (
        next(epoch_batches(few, DEFAULT, [0], 0)),
        next(epoch_batches(few, recipe, [0], 0)),
    )
    assert mixed.partners is not None
    assert mixed.shares is not None
    assert torch.equal(mixed.partners, plain.labels.roll(1))
    share = mixed.shares.view(-1, 1, 1, 1)
    expected = share * plain.images + (1 - share) * plain.images.roll(1, 0)
    torch.testing.assert_close(mixed.images, expected)
