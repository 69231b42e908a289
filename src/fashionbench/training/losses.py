"""Logits and a batch -> losses: cross-entropy, smoothed and mixed as the recipe says."""

import torch.nn.functional as F
from torch import Tensor

from fashionbench.config.recipe import Recipe
from fashionbench.training.batch import Batch

__all__ = ["batch_loss", "batch_losses"]


def batch_loss(logits: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    """Return the mean of `batch_losses` for (B, K) logits, in one operation where it can be."""
    if batch.partners is None:
        return F.cross_entropy(logits, batch.labels, label_smoothing=recipe.label_smoothing)
    return batch_losses(logits, batch, recipe).mean()


def batch_losses(logits: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    """Return (B,) cross-entropies of (B, K) logits, against both labels where images are mixed.

    For M runs at once (M, K, B) logits have (M, B) losses.
    """
    shape, smoothing = logits.shape[:1] + logits.shape[2:], recipe.label_smoothing

    def against(labels: Tensor) -> Tensor:
        labels = labels.view(shape)
        return F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)

    if batch.partners is None or batch.shares is None:
        return against(batch.labels)
    shares = batch.shares.view(shape)
    return shares * against(batch.labels) + (1 - shares) * against(batch.partners)
