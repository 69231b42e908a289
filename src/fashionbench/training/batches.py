"""Resident images -> the batches of an epoch: order, augmentation, mixing.

The images stay on the device as one uint8 tensor; an epoch is one permutation of them, cut
into batches. That replaces the DataLoader, and is where most of the speed comes from (the
idea is that of cifar10-airbench and train_mnist_fast). Whatever is random follows from the
run's seed and the epoch alone, so a run can go on at any epoch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from fashionbench.config.augmentations import AUGMENTATIONS, MIXINGS, parse_change
from fashionbench.config.recipe import Recipe
from fashionbench.core.logits import pixels
from fashionbench.core.seeds import derive_seed
from fashionbench.data.datasets import Split
from fashionbench.training.augment import MIX, augment, draw, mix

__all__ = ["Batch", "batch_loss", "batch_losses", "epoch_batches", "epoch_order", "epoch_steps"]

CHUNK = 1024
"""Images that a CPU augments at once: many enough for a kernel's cost, few enough for a cache."""
ACCELERATOR_CHUNK = 32 * CHUNK
"""And an accelerator, which has to be told of every operation: 100 MB of pixels at a time."""


@dataclass(frozen=True)
class Batch:
    """B images of one run, or of M runs one after another (then B is M times the batch size)."""

    images: Tensor
    """(B, 1, H, W) float32, before whatever the model does to them."""
    labels: Tensor
    """(B,) int64."""
    partners: Tensor | None = None
    """(B,) labels of the images that were mixed in."""
    shares: Tensor | None = None
    """(B,) how much of each mixed image is its own."""

    def tensors(self) -> list[Tensor]:
        """Those of its tensors that are there."""
        parts = (self.images, self.labels, self.partners, self.shares)
        return [part for part in parts if part is not None]

    def first(self, images: int) -> "Batch":
        """The batch cut off after so many images."""
        return Batch(*(part[:images] for part in self.tensors()))

    def clone(self) -> "Batch":
        """A copy in memory of its own."""
        return Batch(*(part.clone() for part in self.tensors()))


def epoch_steps(images: int, recipe: Recipe) -> int:
    """Batches in an epoch; the last may be short."""
    return -(-images // recipe.batch_size)


def epoch_order(images: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch visits the images: the same on every device."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
    return torch.randperm(images, generator=generator)


def epoch_batches(data: Split, recipe: Recipe, seeds: Sequence[int], epoch: int) -> Iterator[Batch]:
    """The batches of an epoch, each with those of every seed's run one after another."""
    device, members, images = data.images.device, len(seeds), len(data)
    orders = torch.stack([epoch_order(images, seed, epoch) for seed in seeds]).to(device)
    chain = [parse_change(text, AUGMENTATIONS) for text in recipe.augmentation]
    draws = [draw(chain, images, seed, epoch) for seed in seeds] if chain else []
    uniform = torch.cat(draws).to(device) if draws else None  # (M x N, D)
    chances = _mixing_draws(data, recipe, seeds, epoch)
    offsets = images * torch.arange(members, device=device)[:, None]
    whole = images // recipe.batch_size * recipe.batch_size
    chunk_size = CHUNK if device.type == "cpu" else ACCELERATOR_CHUNK
    at_once = max(1, chunk_size // (members * recipe.batch_size))
    parts: list[Tensor] = []
    if whole:
        parts += orders[:, :whole].unflatten(1, (-1, recipe.batch_size)).split(at_once, dim=1)
    if whole < images:
        parts.append(orders[:, None, whole:])
    for part in parts:
        # (M, S, B) positions -> S batches of M x B images. index_select copies row by row.
        positions = part.transpose(0, 1)
        rows = (positions + offsets).flatten()
        chunk = Batch(
            pixels(data.images.index_select(0, positions.flatten())),
            data.labels.index_select(0, positions.flatten()),
        )
        if uniform is not None:
            chunk = replace(
                chunk, images=augment(chunk.images, uniform.index_select(0, rows), chain)
            )
        if chances is not None:
            chunk = _mixed(chunk, positions.shape, chances.index_select(0, rows), recipe)
        yield from _steps(chunk, len(positions))


def _mixing_draws(data: Split, recipe: Recipe, seeds: Sequence[int], epoch: int) -> Tensor | None:
    """(M x N, D) uniform numbers for mixing; None where the recipe mixes nothing."""
    if recipe.mixing is None:
        return None
    name, _ = parse_change(recipe.mixing, MIXINGS)
    draws = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(derive_seed(seed, "mixing", epoch))
        draws.append(torch.rand(len(data), MIX[name][0], generator=generator))
    return torch.cat(draws).to(data.images.device)


def _mixed(chunk: Batch, shape: torch.Size, uniform: Tensor, recipe: Recipe) -> Batch:
    """Each image mixed with the next of its batch; `shape` is (S, M, B)."""
    assert recipe.mixing is not None
    partners = torch.arange(shape.numel(), device=uniform.device).view(shape)
    partners = partners.roll(1, dims=2).flatten()
    name, alpha = parse_change(recipe.mixing, MIXINGS)
    images, shares = mix(name, chunk.images, chunk.images[partners], uniform, alpha)
    return Batch(images, chunk.labels, chunk.labels[partners], shares)


def _steps(chunk: Batch, steps: int) -> Iterator[Batch]:
    parts = (chunk.images, chunk.labels, chunk.partners, chunk.shares)
    cut = [[None] * steps if part is None else part.chunk(steps) for part in parts]
    for images, labels, partners, shares in zip(*cut, strict=True):
        yield Batch(images, labels, partners, shares)


def batch_loss(logits: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    """(B, K) logits -> the mean of `batch_losses`, in one operation where it can be."""
    if batch.partners is None:
        return F.cross_entropy(logits, batch.labels, label_smoothing=recipe.label_smoothing)
    return batch_losses(logits, batch, recipe).mean()


def batch_losses(logits: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    """(B, K) logits -> (B,) cross-entropies, against both labels where images are mixed.

    For M runs at once (M, K, B) -> (M, B).
    """
    shape, smoothing = logits.shape[:1] + logits.shape[2:], recipe.label_smoothing

    def against(labels: Tensor) -> Tensor:
        labels = labels.view(shape)
        return F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)

    if batch.partners is None or batch.shares is None:
        return against(batch.labels)
    shares = batch.shares.view(shape)
    return shares * against(batch.labels) + (1 - shares) * against(batch.partners)
