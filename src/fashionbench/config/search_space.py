"""A search space: the range of each setting that is tuned, and points that fill it evenly.

No setting is known here by name: a recipe's fields declare their ranges.
"""

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Literal

from fashionbench.core.seeds import derive_seed
from fashionbench.errors import UsageError

__all__ = ["Range", "Scale", "Side", "halton"]

Scale = Literal["log", "linear"]
Side = Literal["low", "high"]

_BASES = (2, 3, 5, 7, 11, 13, 17, 19)
"""One a setting: the first prime numbers."""
_RESOLUTION = 2**-48
"""Digits are permuted down to this: beyond it no setting's value changes."""


# No pydantic model: an instance of one in a field's annotation would be taken for its type.
@dataclass(frozen=True)
class Range:
    """The values of a setting that are tried: evenly on a scale, between two ends."""

    scale: Scale
    low: float
    high: float
    relative: bool = False
    """Whether the ends are factors of the recipe's own value."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError("the ends of a range are finite numbers")
        if self.low == self.high:
            raise ValueError(f"{self} is empty; give a range whose second end is the larger")
        if self.low > self.high:
            raise ValueError(f"{self} is upside down; give the smaller end first")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"{self} begins at 0 or below, which has no logarithm; begin above 0")

    def __str__(self) -> str:
        return f"{self.scale} {self.low:g}..{self.high:g}"

    @classmethod
    def parse(cls, text: object, *, relative: bool, where: str) -> "Range":
        """Read a range as people write it, such as "log 1/32..32".

        Raises UsageError, which begins with `where`, for anything else.
        """
        found = re.fullmatch(r"(log|linear)\s+(\S+?)\s*\.\.\s*(\S+)", str(text).strip())
        low, high = (None, None) if found is None else map(_read_number, found.groups()[1:])
        if found is None or low is None or high is None:
            raise UsageError(
                f"{where} is {text!r}, but should be a scale and two ends, such as 'log 1/32..32' "
                "or 'linear 0..0.9'."
            )
        try:
            return cls("log" if found[1] == "log" else "linear", low, high, relative)
        except ValueError as error:
            raise UsageError(f"{where}: {error}.") from None

    def at(self, place: float) -> float:
        """Return the value at a place in [0, 1]."""
        if self.scale == "linear":
            return self.low + place * (self.high - self.low)
        return float(math.exp(math.log(self.low) + place * math.log(self.high / self.low)))

    def beyond(self, side: Side) -> "Range":
        """Return what is added where the range proves too small: half of its width more."""
        first, last = (-0.5, 0.0) if side == "low" else (1.0, 1.5)
        return replace(self, low=self.at(first), high=self.at(last))


def _read_number(text: str) -> float | None:
    """Read 0.1, 1e-3 or 1/32; None for anything else."""
    numerator, slash, denominator = text.partition("/")
    try:
        return float(numerator) / (float(denominator) if slash else 1)
    except (ValueError, ZeroDivisionError):
        return None


@lru_cache
def halton(count: int, dimensions: int, scramble: int) -> list[tuple[float, ...]]:
    """Return the first points of a Halton sequence in [0, 1)^D, scrambled by a number.

    Each digit is permuted, by a permutation of its own for each of its places (Owen 2017, arXiv
    1706.02808). More points add to fewer. Not SciPy's: a job's key depends on these numbers, so
    they are the same in every version of every library. Raises UsageError for more than 8
    dimensions.
    """
    if dimensions > len(_BASES):
        raise UsageError(f"{dimensions} settings are too many to tune at once; name at most 8.")
    columns = [_radical_inverses(count, base, scramble) for base in _BASES[:dimensions]]
    return list(zip(*columns, strict=True))


def _radical_inverses(count: int, base: int, scramble: int) -> list[float]:
    """Mirror the numbers from 0 up at the point of their digits, each of which is permuted."""
    values, numbers, unit = [0.0] * count, list(range(count)), 1 / base
    draw = Random(derive_seed(scramble, "points", base)).random
    while unit > _RESOLUTION:
        permutation = sorted(range(base), key=lambda _: draw())
        values = [
            value + unit * permutation[number % base]
            for value, number in zip(values, numbers, strict=True)
        ]
        numbers = [number // base for number in numbers]
        unit /= base
    return values
