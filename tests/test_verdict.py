"""Verdicts say what the numbers say, no more, and what would decide where they cannot."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from factories import sampling_error

from fashionbench.stats.difference import Difference, adjust, difference, holm_factors
from fashionbench.stats.sequential import seeds_needed
from fashionbench.stats.splits import OverSplits
from fashionbench.stats.spread import Spread
from fashionbench.stats.verdict import Verdict, decide, extend_to_splits, interval_of_verdict

FOUND = Difference(
    difference=0.02,
    low=0.01,
    high=0.03,
    seeds_low=0.012,
    seeds_high=0.028,
    limit=0.028,
    limit_other_test_images=0.03,
    sd=0.01,
    p_value=0.001,
    p_value_other_test_images=0.002,
    probability_a_beats_b=0.9,
    n=8,
    spread=Spread((0.02,) * 8, 0.001, sequential=False),
)


def test_verdicts_say_what_the_numbers_say() -> None:
    assert str(decide(FOUND)) == "better"
    assert str(decide(replace(FOUND, difference=-0.02))) == "worse"
    here = replace(FOUND, p_value_other_test_images=0.06)
    assert str(decide(here)) == "better on these test images"
    small = replace(here, difference=0.001, limit=0.004, p_value=0.6)
    assert str(decide(replace(small, limit_other_test_images=0.005))) == (
        "no difference larger than 0.40 points"
    )
    assert str(decide(replace(small, limit_other_test_images=0.02))) == (
        "no difference larger than 0.40 points on these test images"
    )
    assert decide(replace(small, limit=0.02)).word == "not decided"
    assert str(decide(replace(FOUND, sd=None, p_value=None))) == "not decided"


def test_cannot_tell_promises_more_seeds_than_there_are() -> None:
    verdict = decide(replace(FOUND, limit=0.05, n=8, p_value=0.2))
    assert verdict.seeds_needed is not None
    assert verdict.seeds_needed > 8
    assert f"about {verdict.seeds_needed} seeds would" in str(verdict)


def test_a_verdict_promises_the_seeds_of_its_way_of_looking() -> None:
    open_yet = replace(FOUND, difference=0.5, sd=1.0, limit=2.0, p_value=0.2)
    once = decide(open_yet, pairs=3).seeds_needed
    again = decide(open_yet, pairs=3, sequential=True).seeds_needed
    assert str(decide(replace(open_yet, difference=0.0), 1e-300)) == "not decided"
    assert once == seeds_needed(0.5, 1.0, 0.05 / 3)
    assert again == seeds_needed(0.5, 1.0, 0.05 / 3, sequential=True)
    assert again > once


def test_what_begins_from_one_start_is_judged_for_that_alone() -> None:
    assert str(decide(FOUND, held=("weights",))) == "better from these first weights"
    here = decide(replace(FOUND, p_value_other_test_images=0.06), held=("weights",))
    assert str(here) == "better on these test images and from these first weights"
    alone = decide(replace(FOUND, p_value_other_test_images=0.06), held=("weights", "order"))
    assert str(alone) == (
        "better on these test images, from these first weights and in this order of the images"
    )


Judged = tuple[float, Verdict, tuple[float, float]]


def judge(models: list[np.ndarray], gains: tuple[float, ...], *, sequential: bool) -> list[Judged]:
    """The true difference, verdict and interval of every pair, judged together."""
    indices = [*combinations(range(len(models)), 2)]
    found = [
        difference(models[i], models[j], pairs=len(indices), sequential=sequential)
        for i, j in indices
    ]
    by_seeds = holm_factors([each.p_value for each in found])
    by_images = holm_factors([each.p_value_other_test_images for each in found])
    judged = []
    for (i, j), alone, *steps in zip(indices, found, by_seeds, by_images, strict=True):
        adjusted = replace(
            alone,
            p_value=adjust(alone.p_value, steps[0]),
            p_value_other_test_images=adjust(alone.p_value_other_test_images, steps[1]),
        )
        verdict = decide(adjusted, pairs=len(indices), sequential=sequential)
        interval = interval_of_verdict(verdict, adjusted, tuple(steps), len(indices))
        judged.append((gains[i] - gains[j], verdict, interval))
    return judged


@pytest.mark.parametrize("seeds", [3, 5, 12])
@pytest.mark.parametrize("sequential", [False, True])
def test_a_verdict_and_the_interval_beside_it_never_contradict_each_other(
    seeds: int, sequential: bool
) -> None:
    """Nor do the intervals of one comparison miss a true difference in more than 5 %."""
    count, rng, missed, words = 80, np.random.default_rng(seeds), 0, set()
    for _ in range(count):
        gains = tuple(rng.choice([0.0, 0.004, 0.02, 0.05], 4))
        models = [
            rng.random((seeds, 500))
            < rng.beta(4, 1, 500) * 0.9 + rng.normal(gain, 0.01, (seeds, 1))
            for gain in gains
        ]
        judged = judge(models, gains, sequential=sequential)
        for _, verdict, (low, high) in judged:
            words.add(verdict.word)
            assert (low, high) == (-np.inf, np.inf) or -1 <= low <= high <= 1
            assert (low > 0) == (verdict.word == "better")
            assert (high < 0) == (verdict.word == "worse")
            if verdict.limit is not None:
                assert max(-low, high) == pytest.approx(verdict.limit)
        missed += any(
            not low <= truth <= high
            for truth, verdict, (low, high) in judged
            if verdict.holds_for_other_test_images
        )
    assert words >= ({"not decided"} if sequential else {"better", "worse", "not decided"})
    assert missed / count < 0.05 + sampling_error(0.05, count)


def test_seeds_too_few_for_a_p_value_have_no_interval() -> None:
    alone = replace(FOUND, p_value=None, p_value_other_test_images=None, n=1)
    assert interval_of_verdict(decide(alone), alone, (None, None), 1) == (-np.inf, np.inf)


def test_a_verdict_holds_on_other_splits_where_those_dealt_anew_say_the_same() -> None:
    better = decide(FOUND)
    small = replace(FOUND, difference=0.001, limit=0.004, p_value=0.6, limit_other_test_images=0.02)
    alike = decide(small)

    def said(verdict: Verdict, mean: float, p_value: float | None, limit: float) -> str:
        found = OverSplits(mean, 0.01, mean - 0.01, mean + 0.01, limit, p_value, 5)
        return str(extend_to_splits(verdict, found))

    assert said(better, 0.02, 0.01, 0.04) == "better"
    for mean, p_value in ((0.02, 0.06), (-0.02, 0.01), (0.02, None)):
        assert said(better, mean, p_value, 0.04) == "better on the official split"
    assert said(alike, 0.001, 0.6, 0.008).endswith("points on these test images")
    assert said(alike, 0.001, 0.6, 0.02).endswith("on these test images and on the official split")
    for verdict in (better, alike):
        assert extend_to_splits(verdict, None) == verdict
    open_yet = Verdict("not decided", seeds_needed=12)
    assert said(open_yet, 0.02, 0.01, 0.04) == str(open_yet)
