"""Logits and a batch -> losses: cross-entropy or a person's own, mixed as the recipe says."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fashionbench.config.recipe import CROSS_ENTROPY, Recipe
from fashionbench.training.batch import Batch
from fashionbench.training.own_parts import find_own_loss

__all__ = ["batch_loss", "batch_losses", "collect_losses", "detach_loss"]


def batch_loss(logits: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    """Return the mean of `batch_losses` for (B, K) logits, in one operation where it can be."""
    if batch.partners is None and recipe.loss == CROSS_ENTROPY:
        return F.cross_entropy(logits, batch.labels, label_smoothing=recipe.label_smoothing)
    return batch_losses(logits, batch, recipe).mean()


def batch_losses(logits: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    """Return (B,) losses of (B, K) logits, against both labels where images are mixed.

    For M runs at once (M, K, B) logits have (M, B) losses.
    """
    shape, smoothing = logits.shape[:1] + logits.shape[2:], recipe.label_smoothing

    def against(labels: Tensor) -> Tensor:
        labels = labels.view(shape)
        if recipe.loss != CROSS_ENTROPY:
            return _own_losses(logits, labels, recipe.loss)
        return F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)

    if batch.partners is None or batch.shares is None:
        return against(batch.labels)
    shares = batch.shares.view(shape)
    return shares * against(batch.labels) + (1 - shares) * against(batch.partners)


def _own_losses(logits: Tensor, labels: Tensor, reference: str) -> Tensor:
    """Ask a person's own loss; a mean stands for each image."""
    loss = find_own_loss(reference)
    if logits.ndim == 2:
        found = loss(logits, labels)
        return found if found.ndim else found.expand(len(labels))
    found = torch.func.vmap(loss)(logits.mT, labels)
    return found if found.ndim == 2 else found[:, None].expand(labels.shape)


def detach_loss(loss: Tensor) -> Any:
    """Turn a step's loss, or members' losses, into plain numbers where they lie on the CPU.

    Thousands of small tensors that live through an epoch would break up the memory that its batches
    come from: 150 MB for V2. On an accelerator a number would have to be waited for.
    """
    return loss.tolist() if loss.device.type == "cpu" else loss


def collect_losses(losses: Sequence[Any]) -> Tensor:
    """Join what `detach_loss` made of an epoch's S steps: (S,) losses, or (S, M) of members."""
    return torch.stack([*losses]) if isinstance(losses[0], Tensor) else torch.tensor(losses)
