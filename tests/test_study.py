"""Jobs and studies: what is accepted, what is refused and how, and keys."""

import hashlib
from typing import get_args

import pytest

from fashionbench.config.recipe import load_recipe
from fashionbench.config.study import Job, Study, Vary
from fashionbench.core.seeds import PURPOSES, PartialSeed, SplitSeed
from fashionbench.errors import UsageError

DEFAULT = load_recipe("default")


def job(**changes: object) -> Job:
    return Job(**{"model": "v0", "recipe": DEFAULT, "seed": 0, "dataset": "silhouettes"} | changes)


def test_a_setting_at_its_default_is_no_part_of_a_key() -> None:
    # Whoever adds a setting must not make every run recorded before unfindable.
    assert '"betas"' not in job().model_dump_json(exclude_defaults=True)
    assert job(recipe=DEFAULT.override(weight_decay=0.0)).key == job().key
    assert job(recipe=DEFAULT.override(weight_decay=0.1)).key != job().key


def test_a_key_changes_with_whatever_can_change_the_result_and_with_nothing_else() -> None:
    others = [
        job(model="v1"),
        job(seed=1),
        job(dataset="fashion-mnist"),
        job(model_source="abc"),
        job(recipe=DEFAULT.override(epochs=4)),
        job(recipe=DEFAULT.override(learning_rate=0.2)),
        job(vary="order"),
        job(vary="weights"),
        job(split=1),
    ]
    assert len({job().key, *(other.key for other in others)}) == 10
    renamed = DEFAULT.model_copy(update={"name": "mine", "description": "another text"})
    assert job(recipe=renamed).key == job().key
    without = DEFAULT.override(epochs=4).model_copy(update={"overrides": ()})
    assert job(recipe=without).key == job(recipe=DEFAULT.override(epochs=4)).key


@pytest.mark.parametrize("repeated", ["models", "seeds", "recipes"])
def test_a_study_names_nothing_twice(repeated: str) -> None:
    fields = {"models": ["v0"], "seeds": [0], "recipes": [DEFAULT], "dataset": "silhouettes"}
    with pytest.raises(UsageError, match=f"{repeated} is .*only once"):
        Study.checked(fields | {repeated: fields[repeated] * 2}, "comparison")


def test_a_studys_entries_are_models_by_recipes_with_a_job_a_seed() -> None:
    study = Study(
        models=("v0", "v1"),
        recipes=(DEFAULT, DEFAULT.override(epochs=4)),
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


def test_test_views_that_changed_have_keys_of_their_own_since() -> None:
    """And no other job has: those recorded before keep theirs too, to be found by a report."""
    job = Job(model="v0", recipe=DEFAULT, seed=0, dataset="silhouettes", protocol=3)
    facts = job.model_copy(update={"recipe": DEFAULT.unnamed, "protocol": 2})
    text = facts.model_dump_json(exclude_defaults=True)
    assert job.key == hashlib.sha256(f"3 {text}".encode()).hexdigest()[:16]

    shifts = DEFAULT.override(test_views="shifts")
    keys = []
    for protocol in (2, 3):
        one = job.model_copy(update={"recipe": shifts, "protocol": protocol})
        facts = one.model_copy(update={"recipe": shifts.unnamed, "protocol": 2})
        text = facts.model_dump_json(exclude_defaults=True)
        keys.append(one.key == hashlib.sha256(f"{protocol} {text}".encode()).hexdigest()[:16])
    assert keys == [True, False]


def test_what_varies_is_one_source_of_randomness_or_all() -> None:
    assert get_args(Vary) == ("all", *PURPOSES)
    assert job(seed=3).run_seed == 3
    assert job(seed=3, vary="order").run_seed == PartialSeed(3, "order")
    study = Study(
        models=["v0"], recipes=[DEFAULT], seeds=[0], dataset="silhouettes", vary="weights"
    )
    [(planned,)] = study.entries()
    assert planned.vary == "weights"
    # Augmentation is held where there is any.
    assert study.held_for(DEFAULT) == ("order",)
    assert study.held_for(DEFAULT.override(augmentation="flip")) == ("order", "augmentation")
    assert study.model_copy(update={"vary": "all"}).held_for(DEFAULT) == ()


def test_the_official_split_comes_first_and_every_other_has_all_runs() -> None:
    fields = {"models": ["v0", "mlp"], "recipes": [DEFAULT], "dataset": "silhouettes"}
    study = Study(**fields, seeds=[0, 1], splits=2)
    groups = [[(j.model, j.split, j.seed) for j in group] for _, group in study.groups()]
    assert groups == [
        [(model, split, seed) for seed in (0, 1)] for split in (0, 1, 2) for model in ("v0", "mlp")
    ]
    assert [*study.entries()] == [*Study(**fields, seeds=[0, 1]).entries()]
    assert job(seed=3, split=2).run_seed == SplitSeed(3, 2)
