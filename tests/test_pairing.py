"""A model bound to its own recipe, among those that are trained by all."""

import pytest

from fashionbench.errors import UsageError
from fashionbench.experiments.pairing import pair
from fashionbench.experiments.planning import plan


def rows(models: list[str], recipes: list[str], **settings: object) -> list[tuple[str, str]]:
    study = plan(models, recipes, 2, dataset="silhouettes", **settings)
    return [(jobs[0].model, jobs[0].recipe.name) for jobs in study.entries()]


def test_models_without_a_recipe_of_their_own_have_all() -> None:
    assert rows(["v0@fast", "mlp", "v1"], ["adam", "long"]) == [
        ("v0", "fast"),
        ("mlp", "adam"),
        ("mlp", "long"),
        ("v1", "adam"),
        ("v1", "long"),
    ]


def test_a_model_may_have_several_of_its_own() -> None:
    assert rows(["v0@fast", "v0@adam", "mlp@adam"], ["long"]) == [
        ("v0", "fast"),
        ("v0", "adam"),
        ("mlp", "adam"),
    ]


def test_a_recipe_that_all_have_may_be_named_too() -> None:
    assert rows(["v0@adam", "mlp"], ["adam"]) == [("v0", "adam"), ("mlp", "adam")]


def test_the_rows_of_models_and_recipes_that_are_crossed_stay_as_they_were() -> None:
    study = plan(["v0", "mlp"], ["adam", "fast"], 1, dataset="silhouettes")
    assert study.trained_by == ()
    assert len([*study.entries()]) == 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v2@my recipes/a.toml", ("v2", "my recipes/a.toml")),
        ("v2:weights=me@home/w.pth", ("v2:weights=me@home/w.pth", None)),
        ("v2:weights=me@home/w.pth@fast", ("v2:weights=me@home/w.pth", "fast")),
        ("nets@work/a.py:Net@a.toml", ("nets@work/a.py:Net", "a.toml")),
    ],
)
def test_other_signs_of_the_kind_are_part_of_a_path(
    name: str, expected: tuple[str, str | None]
) -> None:
    paired = pair([name], ["adam"])
    model, recipe = expected
    assert paired.models == [model]
    assert paired.recipes == [recipe or "adam"]


def test_flags_change_every_recipe_but_one_without_training() -> None:
    study = plan(["v0@fast", "mlp@scored"], ["long"], 2, dataset="silhouettes", epochs=7)
    assert [recipe.epochs for recipe in study.recipes] == [7, 0]


def test_a_recipe_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="There is no recipe 'fats'"):
        rows(["v0@fats"], ["adam"])
