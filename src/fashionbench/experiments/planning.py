"""What a person asks for -> a Study: all of it found, identified and called by a name of its own.

Nothing is trained, and only a person's own code brings torch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashionbench.config.augmentations import own_augmentations
from fashionbench.config.exclusion import load_exclusion
from fashionbench.config.model_spec import ModelSpec
from fashionbench.config.recipe import Recipe, load_recipe, recipe_names
from fashionbench.config.study import PROTOCOL, Study
from fashionbench.core.own_source import Source
from fashionbench.core.shape import Shape
from fashionbench.data.datasets import DATASETS, dataset_entry, find_shape, identify_dataset
from fashionbench.errors import UsageError
from fashionbench.experiments.pairing import pair
from fashionbench.models.identity import identify

if TYPE_CHECKING:
    from torch import nn

    Model = str | Callable[[], nn.Module]

__all__ = ["default_folder", "plan"]


def default_folder(dataset: str) -> Path:
    """Return the folder for the runs of a data set, where the person names none."""
    return Path("runs") / (dataset if dataset in DATASETS else Path(dataset).resolve().name)


def plan(
    models: "Model | Sequence[Model]",
    recipes: str | Recipe | Sequence[str | Recipe],
    seeds: int | Iterable[int],
    *,
    weights: Path | str | None = None,
    dataset: str,
    channels: int | None = None,
    size: int | None = None,
    device: str = "auto",
    until: float | None = None,
    max_seeds: int = 100,
    vary: str = "all",
    splits: int | None = None,
    exclude: Path | str | None = None,
    **settings: Any,
) -> Study:
    """Turn what was asked, in the terms of `compare`, into a Study.

    Raises UsageError for what does not exist or does not go together, DataError for a data set
    that cannot be read.
    """
    models = [models] if isinstance(models, str) or callable(models) else models
    recipes = [recipes] if isinstance(recipes, (str, Recipe)) else recipes
    if not models or not recipes:
        raise UsageError("There is nothing to compare; name at least one model and one recipe.")
    paired = pair(models, recipes)
    dataset_source = identify_dataset(dataset)
    shape = find_shape(dataset, channels, size)
    classes = len(dataset_entry(dataset).classes)
    named = _identify_models(paired.models, weights, classes, shape)
    chosen = _load_recipes(paired.recipes, settings)
    study = Study.checked(
        {
            "models": [str(spec) for spec, _ in named],
            "model_sources": [str(source) for _, source in named],
            "recipes": chosen,
            "recipe_sources": [_identify_augmentations(recipe) for recipe in chosen],
            "trained_by": paired.trained_by,
            "seeds": _list_seeds(seeds),
            "vary": vary,
            "splits": splits,
            "exclusion": None if exclude is None else load_exclusion(exclude),
            "dataset": dataset,
            "dataset_source": dataset_source,
            "channels": shape.channels,
            "size": shape.side,
            "device": device,
            "until": until,
            "max_seeds": max_seeds,
            "protocol": PROTOCOL,
        },
        "comparison",
    )
    _check_until(study)
    _check_vary(study)
    _check_splits(study)
    return study


def _identify_models(
    models: "Sequence[Model]", weights: Path | str | None, classes: int, shape: Shape
) -> list[tuple[ModelSpec, Source]]:
    """Give the spec and source of each model, which begins with `weights` where there are any."""
    named = [identify(model, classes, shape) for model in models]
    if weights is None:
        return named
    given = (replace(spec, weights=spec.weights or str(weights)) for spec, _ in named)
    return [identify(spec, classes, shape) for spec in given]


def _load_recipes(asked: Sequence[str | Recipe], settings: Mapping[str, Any]) -> list[Recipe]:
    """Load recipes with `settings` overridden; UsageError where two of them are the same.

    A recipe without training keeps its own: only how images are shown is a setting of it.
    """
    loaded = [load_recipe(recipe) if isinstance(recipe, str) else recipe for recipe in asked]
    views = {"test_views": settings.get("test_views")}
    changed = [recipe.override(**(settings if recipe.epochs else views)) for recipe in loaded]
    recipes = _name_by_paths(changed, asked)
    for one, other in combinations(recipes, 2):
        if one.unnamed == other.unnamed:
            raise UsageError(
                f"The recipes {one.label} and {other.label} train in the same way; name one."
            )
        if one.label == other.label:
            raise UsageError(f"Two recipes are called {one.label}; give one another name.")
    return recipes


def _name_by_paths(recipes: Sequence[Recipe], asked: Sequence[str | Recipe]) -> list[Recipe]:
    """Call a recipe of a file by its path where a shipped or another one has its name."""
    labels, named = [recipe.label for recipe in recipes], []
    for recipe, given in zip(recipes, asked, strict=True):
        name = recipe.name
        if isinstance(given, str) and given.endswith(".toml"):
            if name in recipe_names():
                name = given
            elif labels.count(recipe.label) > 1:
                name = given.removesuffix(".toml")
        named.append(recipe.model_copy(update={"name": name}))
    return named


def _identify_augmentations(recipe: Recipe) -> str:
    if not own_augmentations(recipe.augmentation):
        return ""
    from fashionbench.training.own_augmentations import identify_augmentations  # brings torch

    return identify_augmentations(recipe.augmentation)


def _list_seeds(seeds: int | Iterable[int] | str) -> tuple[int, ...]:
    if isinstance(seeds, str):
        raise UsageError(
            f"seeds is {seeds!r}, but should be a number of seeds, such as 5, or a list of them, "
            "such as [0, 1, 7]."
        )
    if not isinstance(seeds, int):
        return tuple(seeds)
    if seeds < 1:
        raise UsageError(f"{seeds} seeds cannot be compared; ask for 1 or more.")
    return tuple(range(seeds))


def _check_splits(study: Study) -> None:
    """Refuse splits dealt anew where the official one decides, or some luck is held."""
    if study.splits is None:
        return
    for option, given in {"--until": study.until, "--tune": study.tuning}.items():
        if given is not None:
            raise UsageError(
                f"{option} decides by runs on the official split, and --splits asks about others; "
                "give one of them."
            )
    if study.vary != "all":
        raise UsageError(
            "--splits tells of all luck together, and --vary holds some of it; give one of them."
        )


def _check_vary(study: Study) -> None:
    """Refuse to vary the augmentation alone where a recipe has none: all runs would be equal."""
    for recipe in study.recipes:
        if study.vary == "augmentation" and not (recipe.augmentation or recipe.mixing):
            raise UsageError(
                f"The recipe {recipe.label} has no augmentation that could vary; give one, such as "
                "--augmentation flip,shift:2, or vary the order or the weights."
            )


def _check_until(study: Study) -> None:
    """Refuse to add seeds where there is nothing to decide or no room for more."""
    if study.until is None:
        return
    if len([*study.entries()]) < 2:
        raise UsageError(
            "--until adds seeds until differences are decided, and one model with one recipe "
            "differs from nothing; name two models or recipes."
        )
    if len(study.seeds) > study.max_seeds:
        raise UsageError(
            f"{len(study.seeds)} seeds to begin with are more than the {study.max_seeds} of "
            "max_seeds; ask for fewer, or raise that."
        )
