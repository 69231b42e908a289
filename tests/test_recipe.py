"""Recipes: what is accepted, what is refused and how, files, and what an override changes."""

import tomllib
from pathlib import Path

import pytest

from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.config.recipe import (
    Recipe,
    as_toml,
    current_name,
    load_recipe,
    recipe_names,
)
from fashionbench.errors import UsageError

DEFAULT = load_recipe("default")


def test_the_default_recipe_is_the_published_one() -> None:
    assert (DEFAULT.epochs, DEFAULT.batch_size, DEFAULT.optimizer, DEFAULT.learning_rate) == (
        3,
        32,
        "sgd",
        0.1,
    )
    assert DEFAULT.validation_images == 0
    assert recipe_names()[0] == "default"
    others = {"name", "description"}
    assert DEFAULT.model_dump(exclude=others) == Recipe(name="").model_dump(exclude=others)


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_can_be_read_and_says_what_it_is(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description


def test_the_default_recipe_is_still_found_by_its_old_name() -> None:
    assert load_recipe("seed") == DEFAULT
    assert current_name("seed epochs=5") == "default epochs=5"
    assert current_name("seedling") == "seedling"


def test_an_override_is_a_field_beside_the_name() -> None:
    longer = DEFAULT.override(epochs=5, learning_rate=None)
    assert (longer.name, longer.overrides) == ("default", (("epochs", "5"),))
    assert longer.renamed("long").label == "long"
    assert longer.unnamed == Recipe(name="", epochs=5)


def test_an_old_name_with_overrides_in_it_is_read_as_name_and_overrides() -> None:
    """As stores, checkpoints and training runs held it before `overrides` was a field."""
    fields = {"epochs": 5, "augmentation": ("my nets/fog.py:fog",)}
    overridden = DEFAULT.override(**fields)
    before = DEFAULT.model_dump(exclude={"overrides"}) | fields | {"name": overridden.label}
    assert before["name"] == "default epochs=5 augmentation=my nets/fog.py:fog"
    assert Recipe.checked(before, "recipe") == overridden
    assert Recipe(name="a b=c").name == "a b=c", "there is no setting b"


def test_the_rate_goes_by_its_short_name_too() -> None:
    assert DEFAULT.override(lr=0.01) == DEFAULT.override(learning_rate=0.01)


def test_an_override_is_labelled_with_what_it_changes() -> None:
    assert DEFAULT.override(epochs=5, learning_rate=None).label == "default epochs=5"
    assert DEFAULT.override(epochs=3) == DEFAULT
    changed = DEFAULT.override(augmentation="flip,shift:2", warm_up=0.5)
    assert changed.label == "default warm_up=0.5 augmentation=flip,shift:2"
    assert changed.augmentation == ("flip", "shift:2")


def test_what_can_be_absent_is_switched_off_by_none() -> None:
    long = DEFAULT.override(patience=3, validation_images=100, mixing="mixup", gradient_clip=1)
    off = long.override(patience="none", mixing="none")
    assert (off.patience, off.mixing, off.gradient_clip) == (None, None, 1)
    assert off.label == f"{long.label} mixing=none patience=none"
    assert DEFAULT.override(patience="none") == DEFAULT
    flipped = DEFAULT.override(augmentation="flip")
    assert flipped.override(augmentation="none").augmentation == ()
    with pytest.raises(UsageError, match="epochs is 'none'"):
        DEFAULT.override(epochs="none")


def test_a_recipe_in_words_counts_its_epochs() -> None:
    assert DEFAULT.in_words == "3 epochs, batch 32, sgd at 0.1"
    assert DEFAULT.override(epochs=1).in_words.startswith("1 epoch, ")


def test_another_optimizer_brings_its_own_rate_unless_one_is_given() -> None:
    adam = DEFAULT.override(optimizer="adam")
    assert adam.learning_rate == OPTIMIZERS["adam"].learning_rate
    assert adam.label == "default optimizer=adam learning_rate=0.001"
    assert DEFAULT.override(optimizer="adam", learning_rate=0.01).learning_rate == 0.01
    momentum = DEFAULT.override(momentum=0.9)
    assert momentum.override(optimizer="adam").momentum is None
    assert momentum.override(optimizer="rmsprop", momentum=0.5).momentum == 0.5
    assert momentum.override(optimizer="sgd", epochs=5).momentum == 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs is -1.*greater than or equal to 0"),
        ({"epochs": "abc"}, "epochs is 'abc', but should be a whole number"),
        ({"epochs": "1.5"}, "epochs is '1.5', but should be a whole number"),
        ({"epochs": "3"}, "epochs is '3', but should be a whole number"),
        ({"epochs": True}, "epochs is True, but should be a whole number"),
        ({"patience": True}, "patience is True, but should be a whole number"),
        ({"betas": (True, 0.9)}, "betas is True, but should be a number"),
        ({"nesterov": 1}, "nesterov is 1, but should be true or false"),
        ({"name": 3}, "name is 3, but should be text"),
        ({"epochs": 1.5}, "epochs is 1.5, but should be a whole number"),
        ({"learning_rate": "abc"}, "learning_rate is 'abc', but should be a number"),
        ({"betas": (0.9,)}, r"betas is \(0.9,\), but has too few values"),
        ({"betas": (0.9, 0.9, 0.9)}, "but has too many values"),
        ({"learning_rate": 0}, "learning_rate is 0.*greater than 0"),
        ({"learning_rate": float("inf")}, "learning_rate is inf.*finite"),
        ({"optimizer": "sdg"}, "optimizer is 'sdg', but there are sgd, .*muon"),
        ({"schedule": "cosin"}, "schedule is 'cosin', but there are constant, .*one-cycle"),
        ({"momentun": 0.9}, "no setting 'momentun'; there are .*momentum"),
        ({"momentum": 1}, "momentum is 1, but should be less than 1"),
        ({"optimizer": "adam", "momentum": 0.9}, "adam takes no momentum; sgd, rmsprop, muon do"),
        ({"betas": (0.9, 0.99)}, "sgd takes no betas; adam, .*do"),
        ({"nesterov": True}, "nesterov needs a momentum"),
        ({"schedule": "one-cycle", "warm_up": 1}, "one-cycle has a warm-up of its own"),
        ({"warm_up": 3}, "warm_up is 3, but there are 3 epochs"),
        ({"patience": 3}, "patience needs validation images.*validation_images"),
        ({"precision": "fp8"}, "precision is 'fp8'.*'fp32' or 'bf16'"),
        ({"augmentation": "flop"}, "there is no 'flop'; there are flip"),
        ({"augmentation": "shift:99"}, "shift takes 1 to 14, not 99: moved"),
        ({"mixing": "mixdown"}, "there is no 'mixdown'; there are mixup"),
    ],
)
def test_a_bad_setting_is_refused_in_a_sentence(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refusal:
        DEFAULT.override(**settings)
    assert "\n" not in str(refusal.value)


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'sede'; there are default.*\.toml"):
        load_recipe("sede")


def test_a_recipe_of_ones_own_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('epochs = 7\noptimizer = "lion"\nlearning_rate = 1e-4\n', "utf-8")
    recipe = load_recipe(str(path))
    assert (recipe.name, recipe.epochs, recipe.optimizer) == ("mine", 7, "lion")


def test_a_recipe_from_an_editor_that_marks_its_files_as_utf_8_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 7\n", "utf-8-sig")
    assert load_recipe(str(path)).epochs == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = ", "not a TOML file"),
        ("epoch = 3", "no setting 'epoch'"),
        ("epochs = -1", "epochs is -1"),
        ("epochs = true", "epochs is True, but should be a whole number"),
        ('epochs = "3"', "epochs is '3', but should be a whole number"),
        ('overrides = [["epochs", "9"]]', "write the settings themselves"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=f"mine.toml.*{message}"):
        load_recipe(str(path))


def test_an_absent_file_is_named() -> None:
    with pytest.raises(UsageError, match=r"absent\.toml cannot be read"):
        load_recipe("absent.toml")


@pytest.mark.parametrize("name", recipe_names())
def test_settings_are_written_as_a_file_would_hold_them(name: str) -> None:
    recipe = load_recipe(name)
    settings = recipe.model_dump(exclude={"overrides"}).items()
    lines = [as_toml(key, value) for key, value in settings if value is not None]
    assert Recipe.checked(tomllib.loads("\n".join(lines)), "recipe") == recipe


def test_a_setting_by_both_of_its_names_is_refused() -> None:
    assert DEFAULT.override(lr=0.5, learning_rate=None).learning_rate == 0.5
    with pytest.raises(UsageError, match="learning_rate is given twice, once by a short name"):
        DEFAULT.override(lr=0.5, learning_rate=0.2)
