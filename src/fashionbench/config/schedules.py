"""SCHEDULES: the one table of how the learning rate goes on through the steps."""

import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["SCHEDULES", "Schedule"]

# Of one-cycle: where the peak is, and how far below it the first and the last step are.
_PEAK, _FIRST, _LAST = 0.3, 1 / 25, 1 / 25 / 10_000


def _one_cycle(step: int, steps: int) -> float:
    """Go up to the peak and down again along half cosines, at the rates of torch's OneCycleLR.

    By default that one moves the momentum too, the other way; here the recipe's stays as it is.
    """
    peak, end = _PEAK * steps - 1, steps - 1
    if step <= peak:
        return _between(_FIRST, 1, step / peak)
    return _between(1, _LAST, (step - peak) / (end - peak))


def _between(first: float, last: float, progress: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class Schedule:
    """What a schedule does in one line, and the share of the recipe's rate at each step."""

    description: str
    shape: Callable[[int, int], float]
    """Step and number of steps, warm-up apart, to a share."""


SCHEDULES = {
    "constant": Schedule("the same throughout", lambda step, steps: 1),
    "step": Schedule(
        "a tenth after half of the steps, a hundredth after three quarters",
        lambda step, steps: 0.1 ** ((step >= steps / 2) + (step >= 3 * steps / 4)),
    ),
    "linear": Schedule("down to 0 in a straight line", lambda step, steps: 1 - step / steps),
    "cosine": Schedule(
        "down to 0 along half a cosine (Loshchilov and Hutter 2016, arXiv 1608.03983)",
        lambda step, steps: _between(1, 0, step / steps),
    ),
    "one-cycle": Schedule(
        "up from 1/25 for 30 % of the steps, then down to nearly 0 "
        "(Smith and Topin 2017, arXiv 1708.07120)",
        _one_cycle,
    ),
}
