"""What is tuned, by what trials: read from people's words, and the same points for every entry."""

import pytest

from fashionbench.config.recipe import SEARCHED, Recipe, load_recipe
from fashionbench.config.search_space import Range
from fashionbench.config.study import Study
from fashionbench.config.tuning import Tuning, read_tuning, trial_seed
from fashionbench.errors import UsageError

SEED = load_recipe("seed")
RATE = {"learning_rate": SEARCHED["learning_rate"]}


def tuning(**changes: object) -> Tuning:
    return Tuning.checked({"ranges": RATE} | changes, "tune")


def study(tuned: Tuning | None = None) -> Study:
    return Study(
        models=("v0", "mlp"),
        recipes=(SEED, load_recipe("adam")),
        seeds=(0, 1),
        dataset="silhouettes",
        tuning=tuned or tuning(images=6000),
    )


def test_settings_are_named_as_people_name_them() -> None:
    expected = {name: SEARCHED[name] for name in ("learning_rate", "weight_decay")}
    for tune in ("lr,weight-decay", ["lr", "weight_decay"], "learning_rate, weight_decay"):
        found = read_tuning(tune, None, 1, None)
        assert found is not None
        assert (found.ranges, found.trials, found.budget) == (expected, 15, None)
    narrow = read_tuning({"lr": "log 1/8..8"}, 7, 2, "10m")
    assert narrow is not None
    assert narrow.ranges == {"learning_rate": Range("log", 1 / 8, 8, relative=True)}
    assert (narrow.trials, narrow.studies, narrow.budget) == (7, 2, 600)


def test_without_a_number_of_trials_a_budget_decides_it() -> None:
    budgets = [read_tuning("lr", None, 1, text) for text in (90, "90s", "1.5m", "2h")]
    assert [each.budget for each in budgets if each] == [90, 90, 90, 7200]
    assert {each.trials for each in budgets if each} == {100}


def test_without_anything_to_tune_nothing_is_tuned() -> None:
    assert read_tuning(None, None, 1, None) is None


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (("speed", 15, 1, None), "speed is no setting; you can tune .*learning_rate"),
        (("nesterov", 15, 1, None), "nesterov cannot be tuned; you can tune .*learning_rate"),
        (("betas", 15, 1, None), "betas cannot be tuned"),
        (("", 15, 1, None), "nothing to tune"),
        ((3, 15, 1, None), "tune is 3, but should name settings"),
        (("lr", 10**9, 1, None), "trials is 1000000000, but should be less than or equal to 1000"),
        (("lr", True, 1, None), "trials is True, but should be a whole number"),
        (({"lr": "log 2..1"}, 15, 1, None), "tune.lr: log 2..1 is upside down"),
        (("lr", 2, 3, None), "2 trials cannot be dealt into 3 studies"),
        (("lr", 0, 1, None), "trials is 0"),
        (("lr", 5, 0, None), "studies is 0"),
        (("lr", 5, 1, "soon"), "budget is 'soon', but should be a time"),
        (("lr", 5, 1, "0m"), "budget is '0m'"),
        ((None, 5, 1, None), "name what is tuned by --tune"),
        ((None, None, 3, None), "name what is tuned by --tune"),
        ((None, None, 1, "10m"), "name what is tuned by --tune"),
    ],
)
def test_what_cannot_be_tuned_is_refused(asked: tuple[object, ...], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        read_tuning(*asked)  # type: ignore[arg-type]


def test_every_searched_setting_is_one_that_the_seed_recipe_may_have_at_both_ends() -> None:
    for setting, values in SEARCHED.items():
        for end in (values.low, values.high):
            factor = getattr(SEED, setting) if values.relative else 1
            recipe = SEED.override(**{setting: end * factor})
            assert getattr(recipe, setting) == pytest.approx(end * factor)


def test_points_are_dealt_to_studies_evenly_and_to_each_only_once() -> None:
    tuned = tuning(trials=14, studies=3)
    dealt = [tuned.points_of(0, each) for each in range(3)]
    assert [len(part) for part in dealt] == [5, 5, 4]
    assert sorted(sum(dealt, ())) == list(range(14))
    for each, part in enumerate(dealt):
        assert {tuned.points[place].study for place in part} == {each}


def test_studies_have_points_of_their_own_and_more_trials_add_to_fewer() -> None:
    few, many = tuning(trials=4, studies=2), tuning(trials=10, studies=2)

    def values(tuned: Tuning, each: int) -> list[float]:
        return [tuned.points[k].values["learning_rate"] for k in tuned.points_of(0, each)]

    assert not set(values(many, 0)) & set(values(many, 1))
    for each in range(2):
        assert values(many, each)[:2] == values(few, each)


def test_a_budget_cuts_the_points_of_an_entry_to_the_first_ones() -> None:
    tuned = tuning(trials=10, studies=2, dealt=(10, 3))
    assert [tuned.trials_of(entry) for entry in range(2)] == [10, 3]
    for each, count in enumerate((2, 1)):
        assert tuned.points_of(1, each) == tuned.points_of(0, each)[:count]


def test_widening_adds_points_beyond_the_side_half_as_many_and_changes_no_other() -> None:
    before = tuning(trials=7, studies=2)
    after = before.model_copy(update={"widened": (("learning_rate", "high"),)})
    assert after.points[:7] == before.points
    assert [len(after.points_of(0, each)) for each in range(2)] == [4 + 2, 3 + 2]
    added = [point.values["learning_rate"] for point in after.points[7:]]
    assert len(added) == 4
    assert all(32 <= value <= 1024 for value in added)
    assert [point.study for point in after.points[7:]] == [0, 0, 1, 1]


def test_a_rate_is_a_multiple_of_the_recipes_and_other_settings_are_as_they_are() -> None:
    tuned = tuning(ranges=RATE | {"batch_size": SEARCHED["batch_size"]})
    values = tuned.points[3].values
    for recipe in (SEED, load_recipe("adam")):
        found = tuned.settings(3, recipe)
        expected = recipe.learning_rate * values["learning_rate"]
        assert found["learning_rate"] == pytest.approx(expected, rel=5e-3)
        assert found["batch_size"] == round(values["batch_size"])
        assert type(found["batch_size"]) is int
    assert tuned.settings(None, SEED) == {"learning_rate": 0.1, "batch_size": 32}


def test_a_trial_holds_out_a_tenth_where_its_recipe_holds_out_none() -> None:
    tuned = tuning(images=6000)
    assert tuned.trial_recipe(SEED, None).validation_images == 600
    own = SEED.override(validation_images=50)
    assert tuned.trial_recipe(own, 0).validation_images == 50
    few, nearly_all = SEED.override(train_images=100), SEED.override(train_images=5990)
    assert tuned.trial_recipe(few, None).train_images == 100
    assert tuned.trial_recipe(nearly_all, None).train_images == 5400
    assert tuning().trial_recipe(few, None) == few, "it is not known yet of how many"


def test_a_space_is_widened_only_where_every_recipe_may_go() -> None:
    tuned = tuning(ranges={**RATE, "momentum": SEARCHED["momentum"]})
    assert tuned.can_widen("learning_rate", "high", [SEED])
    assert not tuned.can_widen("momentum", "high", [SEED]), "it is below 1"
    assert not tuned.can_widen("momentum", "low", [SEED]), "and not below 0"


def test_a_trial_is_a_job_of_its_own_scored_on_validation_images() -> None:
    asked = study()
    trial = asked.trial_job(3, 2, study=0, index=1)
    assert (trial.model, trial.scored_on, trial.seed) == ("mlp", "validation", trial_seed(0, 1))
    assert trial.recipe.optimizer == "adam"
    assert asked.tuning is not None
    settings = asked.tuning.settings(2, load_recipe("adam"))
    assert trial.recipe.learning_rate == settings["learning_rate"]
    default = asked.trial_job(3, None, study=0, index=1)
    on_test = default.model_copy(update={"scored_on": "test"})
    assert len({trial.key, default.key, on_test.key}) == 3


def test_trials_of_two_studies_share_no_seed() -> None:
    seeds = {trial_seed(each, index) for each in range(3) for index in range(4)}
    assert len(seeds) == 12
    assert min(seeds) >= 1_000_000


def test_a_tuned_run_with_the_recipes_own_settings_is_the_run_of_the_recipe_as_it_is() -> None:
    asked = study()
    as_it_is = [*asked.entries()][1][1]
    for settings in ({}, {"learning_rate": 0.001}):
        assert asked.tuned_job(1, settings, seed=1).key == as_it_is.key
    assert asked.tuned_job(1, {"learning_rate": 0.002}, seed=1).key != as_it_is.key


def test_a_study_with_tuning_is_read_back_as_it_was_written() -> None:
    asked = study(tuning(studies=2, dealt=(15, 4, 3, 2), widened=(("learning_rate", "low"),)))
    assert Study.model_validate_json(asked.model_dump_json()) == asked


def test_a_job_that_is_scored_on_the_test_set_has_the_key_that_it_had_before() -> None:
    job = study().tuned_job(0, {}, seed=0)
    assert '"scored_on"' not in job.model_dump_json(exclude_defaults=True)
    assert Recipe(name="") == SEED.unnamed
