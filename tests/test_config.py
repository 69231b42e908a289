"""Recipes, jobs and studies: what is accepted, what is refused and how, and keys."""

import pytest

from fashionbench.config import Job, Study, load_recipe, recipe_names
from fashionbench.errors import UsageError

SEED = load_recipe("seed")


def job(**changes: object) -> Job:
    return Job(**{"model": "v0", "recipe": SEED, "seed": 0, "dataset": "silhouettes"} | changes)


def test_the_seed_recipe_is_the_published_one() -> None:
    assert (SEED.epochs, SEED.batch_size, SEED.optimizer, SEED.learning_rate) == (3, 32, "sgd", 0.1)
    assert SEED.validation_images == 0
    assert recipe_names()[0] == "seed"


def test_an_override_is_named_after_what_it_changes() -> None:
    assert SEED.override(epochs=5, learning_rate=None).name == "seed epochs=5"
    assert SEED.override(epochs=3) == SEED


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs is -1.*greater than or equal to 1"),
        ({"learning_rate": 0}, "learning_rate is 0.*greater than 0"),
        ({"learning_rate": float("inf")}, "learning_rate is inf.*finite"),
        ({"optimizer": "sdg"}, "optimizer is 'sdg'.*'sgd', 'adam' or 'rmsprop'"),
        ({"momentum": 0.9}, "no setting 'momentum'; there are .*epochs"),
    ],
)
def test_a_bad_setting_is_refused_in_a_sentence(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refusal:
        SEED.override(**settings)
    assert "\n" not in str(refusal.value)


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'sede'; there are seed"):
        load_recipe("sede")


def test_a_key_changes_with_whatever_can_change_the_result_and_with_nothing_else() -> None:
    others = [
        job(model="v1"),
        job(seed=1),
        job(dataset="fashion-mnist"),
        job(model_source="abc"),
        job(recipe=SEED.override(epochs=4)),
        job(recipe=SEED.override(learning_rate=0.2)),
    ]
    assert len({job().key, *(other.key for other in others)}) == 7
    renamed = SEED.model_copy(update={"name": "mine", "description": "another text"})
    assert job(recipe=renamed).key == job().key


@pytest.mark.parametrize("repeated", ["models", "seeds", "recipes"])
def test_a_study_names_nothing_twice(repeated: str) -> None:
    fields = {"models": ["v0"], "seeds": [0], "recipes": [SEED], "dataset": "silhouettes"}
    with pytest.raises(UsageError, match=f"{repeated} is .*only once"):
        Study.checked(fields | {repeated: fields[repeated] * 2}, "comparison")


def test_a_studys_entries_are_models_by_recipes_with_a_job_a_seed() -> None:
    study = Study(
        models=("v0", "v1"),
        recipes=(SEED, SEED.override(epochs=4)),
        seeds=(0, 7),
        dataset="silhouettes",
    )
    rows = [[(j.model, j.recipe.epochs, j.seed) for j in entry] for entry in study.entries()]
    assert rows == [
        [("v0", 3, 0), ("v0", 3, 7)],
        [("v0", 4, 0), ("v0", 4, 7)],
        [("v1", 3, 0), ("v1", 3, 7)],
        [("v1", 4, 0), ("v1", 4, 7)],
    ]
