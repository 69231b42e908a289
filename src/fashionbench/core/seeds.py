"""One integer seed per run -> an independent stream for each thing that is random."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fashionbench.core.whole_numbers import check_whole

__all__ = [
    "HELD_SEED",
    "PURPOSES",
    "PartialSeed",
    "Purpose",
    "Seed",
    "Source",
    "SplitSeed",
    "derive_seed",
]

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
Source = Literal["weights", "order", "augmentation"]
"""What can be random alone, while everything else is held."""

PURPOSES: Mapping[Source, tuple[Purpose, ...]] = {
    "weights": ("initialisation",),
    "order": ("order", "probe"),
    "augmentation": ("augmentation", "alternation", "mixing"),
}
"""The streams of each source. Dropout belongs to none: it varies where everything does."""

HELD_SEED = 0
"""The seed of all that is held."""


@dataclass(frozen=True)
class PartialSeed:
    """A seed of one source of randomness; the others are those of HELD_SEED."""

    seed: int
    source: Source


@dataclass(frozen=True)
class SplitSeed:
    """A seed of everything random in a run on a split dealt anew: another draw on every split."""

    seed: int
    split: int

    def __str__(self) -> str:
        return f"{self.seed} of split {self.split}"


Seed = int | PartialSeed | SplitSeed
"""What fixes a run: a seed of everything random in it, or of one source alone."""


def derive_seed(seed: Seed, purpose: Purpose, epoch: int = 0) -> int:
    """Derive a seed of 63 bits for one purpose: changing one stream leaves the others as they are.

    It is a hash, so that neighbouring seeds have nothing in common and an epoch's draws do not need
    those of the epochs before. torch.manual_seed keeps the lower 32 bits; a torch.Generator of its
    own keeps all. Raises UsageError for a seed that is no whole number from 0 up.
    """
    if isinstance(seed, PartialSeed):
        seed = seed.seed if purpose in PURPOSES[seed.source] else HELD_SEED
    check_whole("seed", seed.seed if isinstance(seed, SplitSeed) else seed, 0)
    digest = hashlib.sha256(f"{seed} {purpose} {epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
