"""Summaries and differences of tuned rows where several studies each chose on their own.

Runs of one study share its choice, so they are no independent witnesses of what tuning gives: the
studies are. Means of studies take the place of runs in the same intervals and tests (t over
studies, with one degree of freedom less than there are studies). With one study, runs are all there
is: what they say holds for the settings that were chosen.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fashionbench.stats.difference import Difference, difference, probability_a_beats_b
from fashionbench.stats.intervals import Summary, summarize

__all__ = ["Deviations", "average_studies", "compare_tuned", "split_spread", "summarize_tuned"]

Floats = NDArray[np.float64]


def average_studies(values: ArrayLike, studies: Sequence[int]) -> Floats:
    """Return (K, ...) the means of K studies, of (S, ...) values of runs and the study of each.

    With one study the runs stay as they are.
    """
    runs = np.asarray(values, dtype=float)
    which = np.asarray(studies)
    names = np.unique(which)
    if len(names) < 2:
        return runs
    return np.stack([runs[which == name].mean(axis=0) for name in names])


def summarize_tuned(
    values: Sequence[float],
    studies: Sequence[int],
    in_brief: Callable[[Sequence[float]], Summary] = summarize,
) -> Summary:
    """Return mean and 95 % interval over studies, and the sample sd and number of the runs.

    `in_brief` gives the interval of independent values.
    """
    kept = [pair for pair in zip(values, studies, strict=True) if math.isfinite(pair[0])]
    runs = in_brief([value for value, _ in kept])
    if len({study for _, study in kept}) < 2:
        return runs if len(set(studies)) < 2 else replace(runs, low=None, high=None)
    means = average_studies([value for value, _ in kept], [study for _, study in kept])
    found = replace(in_brief(means.tolist()), sd=runs.sd, n=runs.n)
    sizes = Counter(study for _, study in kept).values()
    # The same mean to the last digit, since it stands beside that of the same runs.
    return replace(found, mean=runs.mean) if len({*sizes}) == 1 else found


def compare_tuned(
    a: NDArray[np.bool_],
    b: NDArray[np.bool_],
    studies: Sequence[int],
    *,
    pairs: int = 1,
    sequential: bool = False,
) -> Difference:
    """Compare two (S, N) correctness matrices whose rows share seeds and studies.

    Where there are several studies, sd, n and all that is derived from them are of studies; only
    P(A > B) is of runs. `sequential` is for one study whose seeds were added after looking.
    """
    if len(set(studies)) < 2:
        return difference(a, b, pairs=pairs, sequential=sequential)
    found = difference(average_studies(a, studies), average_studies(b, studies), pairs=pairs)
    chance = probability_a_beats_b(a.mean(axis=1), b.mean(axis=1))
    return replace(found, probability_a_beats_b=chance)


@dataclass(frozen=True)
class Deviations:
    """Where the spread of a tuned row comes from; None where it cannot be told."""

    between_studies: float | None
    """Sd of what studies reach, without the luck of their seeds."""
    between_seeds: float | None
    """Sd of runs of one study."""


def split_spread(values: Sequence[float], studies: Sequence[int]) -> Deviations:
    """Take the luck of choosing and that of seeds apart (analysis of variance by moments)."""
    which, runs = np.asarray(studies), np.asarray(values, dtype=float)
    groups = [runs[which == name] for name in np.unique(which)]
    left = len(runs) - len(groups)
    if left < 1:
        return Deviations(None, None)
    within = sum(float(np.square(group - group.mean()).sum()) for group in groups) / left
    if len(groups) < 2:
        return Deviations(None, math.sqrt(within))
    means = np.array([group.mean() for group in groups])
    luck = within * float(np.mean([1 / len(group) for group in groups]))
    between = max(0.0, float(means.var(ddof=1)) - luck)
    return Deviations(math.sqrt(between), math.sqrt(within))
