"""SHAPES: how the learning rate goes on through the steps, as a share of the recipe's."""

import math
from collections.abc import Callable, Mapping

__all__ = ["SHAPES"]

# Of one-cycle: where the peak is, and how far below it the first and the last step are.
_PEAK, _FIRST, _LAST = 0.3, 1 / 25, 1 / 25 / 10_000


def _one_cycle(step: int, steps: int) -> float:
    """Up to the peak and down again along half cosines; as torch's OneCycleLR by default."""
    peak, end = _PEAK * steps - 1, steps - 1
    if step <= peak:
        return _between(_FIRST, 1, step / peak)
    return _between(1, _LAST, (step - peak) / (end - peak))


def _between(first: float, last: float, progress: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


# Step and number of steps, warm-up apart -> share; the names are those of recipe.SCHEDULES.
SHAPES: Mapping[str, Callable[[int, int], float]] = {
    "constant": lambda step, steps: 1,
    "step": lambda step, steps: 0.1 ** ((step >= steps / 2) + (step >= 3 * steps / 4)),
    "linear": lambda step, steps: 1 - step / steps,
    "cosine": lambda step, steps: _between(1, 0, step / steps),
    "one-cycle": _one_cycle,
}
