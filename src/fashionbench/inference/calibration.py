"""What photos ask of a model beyond what the data set's own images do: another last layer.

Fitted on photos to one model, by benchmarks/photos.py. Probabilities become softer, classes that
the model names too often on photos (a shirt, for anything with folds) rarer, and what its last
features mean on photos is weighed anew, as far as few photos can tell.
"""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["PhotoCalibration", "find_last_layer"]


@dataclass(frozen=True, eq=False)
class PhotoCalibration:
    """Logits of a photo: log-probabilities / temperature + offsets + features x weights."""

    temperature: float
    offsets: NDArray[np.float64]
    """(K,) nats, in the order of the classes."""
    weights: NDArray[np.float64]
    """(K, F) nats, by the features that the model's last layer is given."""

    @classmethod
    def load(cls, path: Path, classes: Sequence[str]) -> Self:
        """Read the calibration that lies beside the weights of a model, with those classes."""
        found = json.loads(path.with_name("calibration.json").read_bytes())
        by_class = (
            np.array([found[key][name] for name in classes]) for key in ("offsets", "weights")
        )
        return cls(found["temperature"], *by_class)

    def write(self, path: Path, classes: Sequence[str]) -> None:
        """Write it beside the weights of a model."""
        document = {
            "temperature": round(self.temperature, 4),
            "offsets": dict(zip(classes, self.offsets.round(3).tolist(), strict=True)),
            "weights": dict(zip(classes, self.weights.round(3).tolist(), strict=True)),
        }
        path.with_name("calibration.json").write_text(json.dumps(document) + "\n", "utf-8")

    def adapt(self, model: nn.Module, temperature: float) -> nn.Module:
        """Copy a model for photos: its logits need no temperature any more."""
        adapted = copy.deepcopy(model)
        last, scale = find_last_layer(adapted), 1 / (self.temperature * temperature)
        with torch.no_grad():
            last.weight.mul_(scale).add_(torch.from_numpy(self.weights))
            last.bias.mul_(scale).add_(torch.from_numpy(self.offsets))
        return adapted


def find_last_layer(model: nn.Module) -> nn.Linear:
    """Return the layer that makes logits of features."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
