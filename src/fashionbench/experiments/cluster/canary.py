"""The canary: a small training, always the same, whose end tells kinds of machines apart.

Where two machines end it alike to the bit, a seed may be trained on either. It takes both ways of
training: the C kernels, where there are any, and torch.
"""

import hashlib

import torch
from torch import nn

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split
from fashionbench.models.build import build_model
from fashionbench.training.devices import reproducible
from fashionbench.training.loop import fit

__all__ = ["train_canary"]

IMAGES = 640
"""Twenty steps of 32."""


def train_canary(device: torch.device) -> str:
    """Train two small networks on noise, and digest their weights."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (IMAGES, 28, 28), generator=generator).to(torch.uint8)
    labels = torch.randint(0, 10, (IMAGES,), generator=generator)
    noise, recipe = Split(images, labels), load_recipe("default").override(epochs=1)
    digest = hashlib.sha256()
    for model in (build_model("v2", 0), _build_normed()):
        fit(model, noise, recipe, 0, device=device)
        for tensor in model.state_dict().values():
            digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def _build_normed() -> nn.Module:
    """Build a network that no C kernel trains."""
    with reproducible(torch.device("cpu")):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3),
            nn.BatchNorm2d(8),
            nn.GELU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * 13 * 13, 10),
        )
