"""Verdicts say what the numbers say, no more, and what would decide where they cannot."""

from dataclasses import replace

from fashionbench.stats.difference import Difference
from fashionbench.stats.sequential import seeds_needed
from fashionbench.stats.verdict import decide

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
    assert decide(replace(small, limit=0.02)).word == "cannot tell"
    assert str(decide(replace(FOUND, sd=None, p_value=None))) == "cannot tell"


def test_cannot_tell_promises_more_seeds_than_there_are() -> None:
    verdict = decide(replace(FOUND, limit=0.05, n=8, p_value=0.2))
    assert verdict.seeds_needed is not None
    assert verdict.seeds_needed > 8
    assert f"about {verdict.seeds_needed} seeds would" in str(verdict)


def test_a_verdict_promises_the_seeds_of_its_way_of_looking() -> None:
    open_yet = replace(FOUND, difference=0.5, sd=1.0, limit=2.0, p_value=0.2)
    once = decide(open_yet, pairs=3).seeds_needed
    again = decide(open_yet, pairs=3, sequential=True).seeds_needed
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
