"""The headline names the best, how far it is ahead, and whether that is more than luck."""

from pathlib import Path

import pytest
from factories import make_result

from fashionbench.report.headline import compose_headline


@pytest.mark.slow
def test_the_first_sentence_names_the_best_and_how_far_it_is_ahead(tmp_path: Path) -> None:
    models = compose_headline(make_result(tmp_path / "models"))
    assert models.startswith("v2 gets ")
    assert "points more than v1: more than the luck of seeds explains" in models
    recipes = compose_headline(make_result(tmp_path / "recipes", models=("v2",), epochs=(1, 2)))
    best, other = ("default epochs=1", "default epochs=2")
    if f"with the recipe “{best}” gets" not in recipes:
        best, other = other, best
    assert f"v2 with the recipe “{best}” gets " in recipes
    assert f"points more than with the recipe “{other}”" in recipes


def test_a_verdict_that_is_open_says_how_many_seeds_could_decide(tmp_path: Path) -> None:
    result = make_result(tmp_path, models=("v2",), epochs=(1, 2))
    (pair,) = result.pairs
    said = compose_headline(result)
    assert pair.verdict.word == "not decided"
    needed = pair.verdict.seeds_needed
    assert f". 3 seeds cannot decide whether that is luck; about {needed} could (95 %" in said


def test_a_headline_says_what_varied(tmp_path: Path) -> None:
    said = compose_headline(make_result(tmp_path, vary="order"))
    assert "(mean of 3 seeds that vary the order of the images alone)" in said
    assert "the luck of the order of the images explains from these first weights (95 %" in said


def test_a_headline_claims_nothing_that_the_runs_cannot_tell(tmp_path: Path) -> None:
    one_seed = compose_headline(make_result(tmp_path / "one", seeds=1))
    assert "(one seed)" in one_seed
    assert one_seed.endswith("; these runs cannot tell whether that is more than luck.")
    alone = compose_headline(make_result(tmp_path / "alone", models=("v0",)))
    assert alone.endswith(" % of the test images right (mean of 3 seeds).")
