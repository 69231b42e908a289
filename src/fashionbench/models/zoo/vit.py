"""A vision transformer for small images: Dosovitskiy et al. 2020, arXiv 2010.11929."""

import torch
from torch import Tensor, nn

__all__ = ["ViT"]


class ViT(nn.Module):
    """49 patches of 4x4 pixels, as words of a sentence.

    Departures: the mean over patches in place of a class token (Beyer et al. 2022, arXiv
    2205.01580), and no dropout.
    """

    def __init__(
        self,
        width: int = 64,
        depth: int = 6,
        heads: int = 4,
        patch: int = 4,
        classes: int = 10,
        channels: int = 1,
        side: int = 28,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.places = nn.Parameter(0.02 * torch.randn(1, (side // patch) ** 2, width))
        self.blocks = nn.Sequential(*(_Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Compute (B, K) logits of (B, C, H, W) pixels."""
        x = self.patches(images).flatten(2).transpose(1, 2) + self.places  # (B, patches, width)
        logits: Tensor = self.linear(self.norm(self.blocks(x)).mean(dim=1))
        return logits


class _Block(nn.Module):
    """Patches look at each other, then each thinks for itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        parts = self.attention(self.norm1(x)).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        # Written out, since the fused kernel cannot be shared by members at once.
        weights = (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(dim=-1)
        seen = weights @ value
        x = x + self.projection(seen.transpose(1, 2).flatten(2))
        thought: Tensor = x + self.mlp(self.norm2(x))
        return thought
