"""Resident images -> the batches of an epoch: order, augmentation, mixing.

The images stay on the device as one uint8 tensor; an epoch is one permutation of them, cut
into batches. That replaces the DataLoader, and is where most of the speed comes from (the
idea is that of cifar10-airbench and train_mnist_fast). Whatever is random follows from the
run's seed and the epoch alone, so a run can go on at any epoch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fashionbench.config.augmentations import AUGMENTATIONS, MIXINGS, parse_augmentation
from fashionbench.config.recipe import Recipe
from fashionbench.core.logits import pixels
from fashionbench.core.seeds import Seed, derive_seed
from fashionbench.data.split import Split
from fashionbench.training.augment import augment, draw
from fashionbench.training.batch import Batch
from fashionbench.training.mixing import draw_mixing, mix

__all__ = ["count_steps", "epoch_batches", "epoch_order"]

CHUNK = 1024
"""Images that a CPU augments at once: many enough for a kernel's cost, few enough for a cache."""
ACCELERATOR_CHUNK = 32 * CHUNK
"""And an accelerator, which has to be told of every operation: 100 MB of pixels at a time."""


def count_steps(images: int, recipe: Recipe) -> int:
    """Return the number of batches in an epoch; the last may be short."""
    return -(-images // recipe.batch_size)


def epoch_order(images: int, seed: Seed, epoch: int) -> Tensor:
    """Return the (N,) order in which an epoch visits the images: the same on every device."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
    return torch.randperm(images, generator=generator)


def epoch_batches(
    data: Split, recipe: Recipe, seeds: Sequence[Seed], epoch: int
) -> Iterator[Batch]:
    """Yield the batches of an epoch, each with those of M seeds' runs one after another.

    Three things are drawn for all N images of each run before the first batch is made: their
    order, and the uniform numbers by which they are augmented and mixed.
    """
    device, count = data.images.device, len(data)
    chain = [parse_augmentation(text, AUGMENTATIONS) for text in recipe.augmentation]
    mixing = None if recipe.mixing is None else parse_augmentation(recipe.mixing, MIXINGS)

    def for_all_runs(draw_for: Callable[[Seed], Tensor]) -> Tensor:
        return torch.cat([draw_for(seed) for seed in seeds]).to(device)

    orders = for_all_runs(lambda seed: epoch_order(count, seed, epoch))  # (M x N,)
    to_augment = to_mix = None
    if chain:
        to_augment = for_all_runs(lambda seed: draw(chain, count, seed, epoch))  # (M x N, D)
    if mixing is not None:
        kind, strength = mixing
        to_mix = for_all_runs(lambda seed: draw_mixing(kind, count, seed, epoch))  # (M x N, D)
    first_rows = count * torch.arange(len(seeds), device=device)[:, None]  # (M, 1): each run's
    for places in _chunks(orders.view(len(seeds), count), recipe.batch_size):  # (S, M, B)
        # index_select copies row by row.
        batches = Batch(  # of S x M x B images
            pixels(data.images.index_select(0, places.flatten())),
            data.labels.index_select(0, places.flatten()),
        )
        rows = (places + first_rows).flatten()  # (S x M x B,): of draws
        if to_augment is not None:
            images = augment(batches.images, to_augment.index_select(0, rows), chain)
            batches = replace(batches, images=images)
        if to_mix is not None:
            draws = to_mix.index_select(0, rows)
            batches = _mixed(batches, places.shape, draws, kind, strength)
        yield from batches.chunk(len(places))


def _chunks(orders: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Cut (M, N) orders into the (S, M, B) places of S batches, as many as are made at once."""
    members, count = orders.shape
    whole = count // batch_size * batch_size
    images_at_once = CHUNK if orders.device.type == "cpu" else ACCELERATOR_CHUNK
    steps_at_once = max(1, images_at_once // (members * batch_size))
    if whole:
        batches = orders[:, :whole].unflatten(1, (-1, batch_size))  # (M, all S, B)
        yield from (part.transpose(0, 1) for part in batches.split(steps_at_once, dim=1))
    if whole < count:
        yield orders[None, :, whole:]  # the short batch


def _mixed(batches: Batch, shape: torch.Size, draws: Tensor, kind: str, strength: float) -> Batch:
    """Mix each image with the one before it in its batch; `shape` is (S, M, B)."""
    own = torch.arange(shape.numel(), device=draws.device).view(shape)
    partners = own.roll(1, dims=2).flatten()
    images, shares = mix(kind, batches.images, batches.images[partners], draws, strength)
    return Batch(images, batches.labels, batches.labels[partners], shares)
