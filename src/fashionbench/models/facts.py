"""What stands beside a trained model's weights: how to build it again, and what is known of it.

A JSON file with the name of the .safetensors file. It holds no code.
"""

import base64
import zlib
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from fashionbench.config.study import Job
from fashionbench.config.validated import Validated
from fashionbench.data.picture_facts import PictureFacts
from fashionbench.models.adapter import Interface

__all__ = ["Answers", "ModelFacts"]


class Answers(Validated):
    """What the trained model answered to a few images; whoever rebuilds it asks again."""

    images: str
    """(N, H, W) or (N, C, H, W) uint8, compressed by zlib, in base 64."""
    sizes: tuple[int, ...] = (28, 28)
    """Of an image."""
    logits: tuple[tuple[float, ...], ...]
    """(N, K)."""
    tolerance: float
    """How far an answer may be off, as a part of the largest logit."""

    @classmethod
    def pack(cls, images: Tensor, logits: Any, tolerance: float) -> "Answers":
        """Write uint8 images and their (N, K) logits as JSON has them."""
        packed = base64.b64encode(zlib.compress(images.cpu().numpy().tobytes())).decode()
        return cls(
            images=packed,
            sizes=tuple(images.shape[1:]),
            logits=logits.tolist(),
            tolerance=tolerance,
        )

    def unpack_images(self) -> Tensor:
        """Return the uint8 images."""
        content = zlib.decompress(base64.b64decode(self.images))
        return torch.tensor(np.frombuffer(content, np.uint8).reshape(-1, *self.sizes))


class ModelFacts(Validated):
    """What stands beside a model's weights. Older files lack some of it, and may hold more."""

    model_config = ConfigDict(extra="ignore")

    job: Job
    interface: Interface | None = None
    """What the network takes; None in older files, where it is found out anew."""
    answers: Answers | None = None
    """None where it has none that it would give again."""
    label: str = ""
    classes: tuple[str, ...] = ()
    parameters: int = 0
    validation_accuracy: float | None = None
    test_accuracy: float | None = None
    temperature: float | None = None
    """What calibration divides the logits by; None where no images were held out for it."""
    pictures: PictureFacts = Field(default_factory=PictureFacts)
    environment: dict[str, Any] = Field(default_factory=dict)
    unloadable: str | None = None
    """Why the model cannot be loaded again; None where it can."""
