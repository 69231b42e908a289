"""A model and images -> logits and scores."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fashionbench.data import Split
from fashionbench.scores import Scores, score

__all__ = ["evaluate", "infer", "pixels"]

BATCH = 1000
"""Images at once; without gradients, larger batches gain nothing on a CPU."""


def pixels(images: Tensor) -> Tensor:
    """(B, H, W) uint8 -> (B, 1, H, W) float32 in [0, 1], as torchvision's ToTensor gives them."""
    return images.unsqueeze(1).float().div_(255)


def infer(model: nn.Module, images: Tensor) -> NDArray[np.float32]:
    """(N, H, W) uint8 images -> (N, K) logits, computed in eval mode on the model's device."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        parts = [model(pixels(batch.to(device))) for batch in images.split(BATCH)]
        logits: NDArray[Any] = torch.cat(parts).float().cpu().numpy()
    model.train(was_training)
    return logits


def evaluate(model: nn.Module, data: Split) -> Scores:
    """Score `model` on every image of `data`, once each."""
    return score(infer(model, data.images), data.labels.cpu().numpy())
