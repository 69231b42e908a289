"""Your own model against the built-in ones.

From Python: python examples/own_model.py [fashion-mnist | silhouettes]
From a shell: fashionbench compare --models examples/own_model.py:MyNet:width=32,mlp
"""

import sys

from torch import Tensor, nn

import fashionbench as fb


class MyNet(nn.Module):
    """Anything that takes (B, 1, 28, 28) pixels in [0, 1] and gives (B, 10) logits."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 5, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(16 * width, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


if __name__ == "__main__":
    dataset = sys.argv[1] if len(sys.argv) > 1 else "fashion-mnist"
    result = fb.compare([MyNet, "mlp"], seeds=3, dataset=dataset, out=f"runs/own-{dataset}")
    for pair in result.pairs:
        print(f"{pair.a} against {pair.b}: {pair.verdict}")
