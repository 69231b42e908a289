"""What is asked becomes a study: defaults, names that tell recipes apart, and refusals."""

from itertools import count
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import fashionbench as fb
from fashionbench.errors import UsageError
from fashionbench.experiments.planning import default_folder, plan


def test_the_runs_of_a_data_set_are_kept_under_its_name(tmp_path: Path) -> None:
    assert default_folder("silhouettes") == Path("runs/silhouettes")
    assert default_folder(str(tmp_path / "wardrobe")) == Path("runs/wardrobe")


def test_one_model_and_one_recipe_need_no_list() -> None:
    study = plan("v0", "default", [7, 3], dataset="silhouettes", epochs=1)
    assert study == plan(["v0"], ["default"], (7, 3), dataset="silhouettes", epochs=1)
    assert (study.models, study.seeds) == (("v0",), (7, 3))


def test_differences_of_one_row_cannot_be_decided() -> None:
    with pytest.raises(UsageError, match="name two models or recipes"):
        plan("v0", "default", 2, dataset="silhouettes", until=0.5)


def test_an_own_recipe_with_a_shipped_ones_name_is_called_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("default.toml").write_text("learning_rate = 0.01")
    Path("mine.toml").write_text("learning_rate = 0.02")
    study = plan(["v0"], ["default", "default.toml", "mine.toml"], 1, dataset="silhouettes")
    assert [recipe.name for recipe in study.recipes] == ["default", "default.toml", "mine"]


def test_recipes_of_one_name_are_told_apart_and_equal_ones_refused(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "mine.toml" for folder in ("a", "b", "c")]
    for path, momentum in zip(paths, (0.5, 0.9, 0.9), strict=True):
        path.parent.mkdir()
        path.write_text(f"momentum = {momentum}\n")
    a, b, c = map(str, paths)
    study = plan(["v0"], [a, b, "default"], 1, dataset="silhouettes", epochs=1)
    names = [recipe.label for recipe in study.recipes]
    assert names == [
        f"{tmp_path}/a/mine epochs=1",
        f"{tmp_path}/b/mine epochs=1",
        "default epochs=1",
    ]
    with pytest.raises(UsageError, match=r"b/mine and .*c/mine train in the same way; name one"):
        plan(["v0"], [b, c], 1, dataset="silhouettes")


def test_two_recipes_of_one_name_are_refused() -> None:
    default = fb.load_recipe("default")
    longer = default.override(epochs=5).renamed("default")
    with pytest.raises(UsageError, match="Two recipes are called default"):
        plan(["v0"], [default, longer], 1, dataset="silhouettes")


def test_more_seeds_to_begin_with_than_there_may_be_are_refused() -> None:
    with pytest.raises(UsageError, match="6 seeds to begin with are more than the 3"):
        plan(["v0", "mlp"], ["default"], 6, dataset="silhouettes", until=0.01, max_seeds=3)


@pytest.mark.parametrize("seeds", [10**11, count(), range(10**11)])
def test_a_number_of_seeds_that_cannot_be_meant_is_refused_at_once(seeds: object) -> None:
    with pytest.raises(
        UsageError, match=r'More than 100,000 seeds .* "7," stands for seed 7 alone'
    ):
        plan(["v0"], ["default"], seeds, dataset="silhouettes")


def test_what_a_path_and_a_number_of_numpys_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("epochs = 7\n")
    study = plan(["v0"], tmp_path / "mine.toml", np.int64(2), dataset="silhouettes")
    assert (study.seeds, study.recipes[0].epochs) == ((0, 1), 7)
    assert fb.load_recipe(tmp_path / "mine.toml") == study.recipes[0]
    with pytest.raises(UsageError, match=r"seeds is 1\.5, but should be a number of seeds"):
        plan(["v0"], "default", 1.5, dataset="silhouettes")
    for models, dataset in (("v0", ""), ([""], "silhouettes")):
        with pytest.raises(UsageError, match=r"There is no (model|data set) ''"):
            plan(models, "default", 1, dataset=dataset)


def test_seeds_as_text_are_refused_since_they_could_mean_a_number_or_a_seed() -> None:
    with pytest.raises(UsageError, match=r"seeds is '5', but should be a number of seeds"):
        plan(["v0"], ["default"], "5", dataset="silhouettes")


@pytest.mark.parametrize(
    ("models", "recipes", "message"),
    [
        (3, "default", "A model of type int cannot be built anew"),
        ([None], "default", "A model of type NoneType cannot be built anew"),
        (nn.Sequential(nn.Flatten()), "default", "This Sequential is built already"),
        ("v0", 3, "There is no recipe '3'"),
        ("v0", [None], "There is no recipe 'None'"),
    ],
)
def test_what_is_no_model_or_recipe_is_refused(
    models: object, recipes: object, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        plan(models, recipes, 1, dataset="silhouettes")


@pytest.mark.parametrize("seeds", [True, [True, False], None])
def test_what_is_no_number_of_seeds_is_refused(seeds: object) -> None:
    with pytest.raises(UsageError, match=r"seeds is (True|None), but should be a"):
        plan(["v0"], ["default"], seeds, dataset="silhouettes")


def test_what_varies_must_be_there() -> None:
    with pytest.raises(UsageError, match="vary is 'luck', but should be 'all', 'weights', 'order'"):
        plan("v0", "default", 2, dataset="silhouettes", vary="luck")
    with pytest.raises(UsageError, match="default has no augmentation that could vary; give one"):
        plan("v0", "default", 2, dataset="silhouettes", vary="augmentation")
    for chosen in ({"augmentation": "flip"}, {"mixing": "cutmix:1"}):
        plan("v0", "default", 2, dataset="silhouettes", vary="augmentation", **chosen)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"splits": 1}, "splits is 1, but should be greater than or equal to 2"),
        ({"splits": 2, "until": 0.01}, "--until decides by runs on the official split"),
        ({"splits": 2, "vary": "order"}, "--splits tells of all luck together"),
    ],
)
def test_splits_are_dealt_for_all_luck_together(given: dict[str, object], refused: str) -> None:
    with pytest.raises(UsageError, match=refused):
        plan(["v0", "mlp"], "default", 2, dataset="silhouettes", **given)
