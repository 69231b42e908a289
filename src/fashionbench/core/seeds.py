"""One integer seed per run -> an independent stream for each thing that is random."""

import hashlib
from typing import Literal

__all__ = ["Purpose", "derive_seed"]

Purpose = Literal[
    "initialisation",
    "order",
    "augmentation",
    "alternation",
    "mixing",
    "dropout",
    "probe",
    "points",
]


def derive_seed(seed: int, purpose: Purpose, epoch: int = 0) -> int:
    """Derive a seed for one purpose: changing one stream leaves the others as they are.

    Of its 63 bits torch.manual_seed keeps the lower 32; generators of one's own keep all.

    Made by hashing, so that neighbouring seeds have nothing in common and an
    epoch's draw can be had without drawing those before it.
    """
    digest = hashlib.sha256(f"{seed} {purpose} {epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
