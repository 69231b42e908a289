"""The rules of a tuning: which settings are tried again, and which is chosen.

Each is a function of finished trials alone, so that the same trials lead to the same choice however
often it is asked for. Why the rules are as they are, and whose they are, is told in docs/tuning.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

__all__ = [
    "Choice",
    "Side",
    "Trial",
    "at_edge",
    "choose",
    "second_stage",
    "stable_range",
]

STABLE = 0.1
"""A loss up to this share above the lowest still counts as trained."""

Side = Literal["low", "high"]


@dataclass(frozen=True)
class Trial:
    """One training run of a tuning, scored on validation images."""

    point: int | None
    """Which point of the space; None for the recipe as it is."""
    seed: int
    study: int
    stage: Literal[1, 2]
    loss: float
    """Mean validation loss at the end of training."""
    failed: bool
    """Collapsed or diverged, which counts as worse than any loss."""

    @property
    def score(self) -> float:
        """The loss, or infinity for a failed run: lower is better."""
        return math.inf if self.failed or not math.isfinite(self.loss) else self.loss


@dataclass(frozen=True)
class Choice:
    """What one study chose, and how clear that was."""

    point: int | None
    """None where the recipe stays as it is."""
    best: int
    """The point that came first, also where the recipe stays as it is."""
    gain: float | None
    """How much lower the mean loss of the best point is than that of the recipe as it is, over the
    seeds in which both trained; None where there are none."""
    error: float | None
    """Standard error of the gain; None for fewer than two seeds."""


def second_stage(trials: Sequence[Trial]) -> list[int]:
    """Return the best quarter of one study's points by their first seed, best first.

    The recipe as it is takes part in the second stage without being among them.
    """
    first = [trial for trial in trials if trial.stage == 1 and trial.point is not None]
    ranked = sorted(first, key=lambda trial: (trial.score, trial.point))
    return [
        trial.point for trial in ranked[: math.ceil(len(ranked) / 4)] if trial.point is not None
    ]


def choose(trials: Sequence[Trial]) -> Choice:
    """Return what one study chooses, by the trials of its second stage alone.

    First come the points that failed least often, among them that with the lowest mean loss. The
    recipe is left as it is if it failed no more often and lost no more than one standard error
    more: a tie is no reason to leave it.
    """
    runs: dict[int | None, dict[int, float]] = {}
    for trial in trials:
        if trial.stage == 2:
            runs.setdefault(trial.point, {})[trial.seed] = trial.score
    default = runs.pop(None)
    best = min((point for point in runs if point is not None), key=lambda point: _rank(runs[point]))
    failures, default_failures = _rank(runs[best])[0], _rank(default)[0]
    gains = [
        default[seed] - loss
        for seed, loss in runs[best].items()
        if math.isfinite(loss) and math.isfinite(default.get(seed, math.inf))
    ]
    gain = fmean(gains) if gains else None
    error = stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else None
    better = failures < default_failures
    if failures == default_failures and gain is not None and error is not None:
        better = gain > error
    return Choice(best if better else None, best, gain, error)


def _rank(losses: Mapping[int, float]) -> tuple[int, float]:
    """Return how often a point failed, and its mean loss where it did not: lower is better."""
    finite = [loss for loss in losses.values() if math.isfinite(loss)]
    return len(losses) - len(finite), fmean(finite) if finite else math.inf


def at_edge(
    chosen: Mapping[str, float], tried: Sequence[Mapping[str, float]]
) -> tuple[tuple[str, Side], ...]:
    """Name the settings whose chosen value is the lowest or the highest of all that were tried.

    What lies beyond it has not been searched.
    """
    found: list[tuple[str, Side]] = []
    for setting, value in chosen.items():
        values = [each[setting] for each in tried]
        if min(values) < max(values):
            found += [(setting, "low")] if value <= min(values) else []
            found += [(setting, "high")] if value >= max(values) else []
    return tuple(found)


def stable_range(values: Sequence[float], losses: Sequence[float]) -> tuple[float, float] | None:
    """Return the values of a setting around the best that train almost as well as it.

    From the value of the lowest loss it reaches to either side as far as each loss is at most a
    tenth above the lowest. None where every run failed.
    """
    ranked = sorted(zip(values, losses, strict=True))
    best = min(range(len(ranked)), key=lambda index: ranked[index][1])
    highest = ranked[best][1] * (1 + STABLE)
    if not math.isfinite(highest):
        return None
    low = high = best
    while low > 0 and ranked[low - 1][1] <= highest:
        low -= 1
    while high + 1 < len(ranked) and ranked[high + 1][1] <= highest:
        high += 1
    return ranked[low][0], ranked[high][0]
