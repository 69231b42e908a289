"""What a person asks for -> a Study: all of it found, identified and called by a name of its own.

Nothing is trained, and only a person's own code brings torch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, islice
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashionbench.config.exclusion import load_exclusion
from fashionbench.config.model_spec import ModelSpec
from fashionbench.config.naming import short_names
from fashionbench.config.recipe import Recipe, load_recipe, own_parts, recipe_names
from fashionbench.config.study import MOST_SEEDS, PROTOCOL, Study
from fashionbench.config.tuning import TUNING_SEEDS, Tune, Tuning, read_tuning
from fashionbench.core.own_source import Source
from fashionbench.core.shape import Shape
from fashionbench.data.datasets import DATASETS, dataset_entry, find_shape, identify_dataset
from fashionbench.errors import UsageError
from fashionbench.experiments.model_files import expand_models
from fashionbench.experiments.pairing import Pairing, pair
from fashionbench.experiments.recalled import recall
from fashionbench.experiments.sound import is_custom, refuse, telling_faults
from fashionbench.models.identity import identify, spell

if TYPE_CHECKING:
    from torch import nn

    Model = str | Callable[[], nn.Module]

__all__ = ["default_folder", "plan"]


def default_folder(dataset: str) -> Path:
    """Return the folder for the runs of a data set, where the person names none."""
    return Path("runs") / (dataset if dataset in DATASETS else Path(dataset).resolve().name)


def plan(
    models: "Model | Sequence[Model] | Mapping[str, Model]",
    recipes: Path | str | Recipe | Sequence[Path | str | Recipe],
    seeds: int | Iterable[int],
    *,
    weights: Path | str | None = None,
    dataset: str,
    folder: Path | None = None,
    channels: int | None = None,
    size: int | None = None,
    device: str = "auto",
    until: float | None = None,
    max_seeds: int = 100,
    vary: str = "all",
    splits: int | None = None,
    exclude: Path | str | None = None,
    tune: Tune | None = None,
    trials: int | None = None,
    studies: int = 1,
    budget: float | str | None = None,
    **settings: Any,
) -> Study:
    """Turn what was asked, in the terms of `compare`, into a Study.

    Models of the last comparison of the run `folder` go by the names that its report shows.
    Raises UsageError for what does not exist or does not go together, DataError for a data set
    that cannot be read.
    """
    if isinstance(models, str) or callable(models) or not isinstance(models or [], Iterable):
        models = [models]
    listed = _list_recipes(recipes)
    if not models or not listed:
        raise UsageError("There is nothing to compare; name at least one model and one recipe.")
    faults: dict[str, str] = {}
    if not isinstance(models, Mapping):
        models = expand_models(models, faults)
    paired = recall(pair(models, listed), folder)
    dataset_source = identify_dataset(dataset)
    shape = find_shape(dataset, channels, size)
    classes = len(dataset_entry(dataset).classes)
    identified = _identify_models(paired, weights, classes, shape, faults)
    named = [found for found in identified if found is not None]
    kept = [place for place, found in enumerate(identified) if found is not None]
    if len(named) < min(2, len(identified)):
        refuse(faults)
    chosen = _load_recipes(paired.recipes, settings)
    study = Study.checked(
        {
            "models": [str(spec) for spec, _ in named],
            "model_sources": [str(source) for _, source in named],
            "called": [paired.called[place] for place in kept if any(paired.called)],
            "recipes": chosen,
            "recipe_sources": [_identify_parts(recipe) for recipe in chosen],
            "trained_by": [paired.trained_by[place] for place in kept if paired.trained_by],
            "left_out": [*faults.items()],
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
            "tuning": read_tuning(tune, trials, studies, budget),
            "protocol": PROTOCOL,
        },
        "comparison",
    )
    _check_until(study)
    _check_vary(study)
    _check_splits(study)
    if study.tuning is not None:
        _check_tuning(study, study.tuning)
    return study


def _identify_models(
    paired: Pairing,
    weights: Path | str | None,
    classes: int,
    shape: Shape,
    faults: dict[str, str],
) -> list[tuple[ModelSpec, Source] | None]:
    """Give the spec and source of each model, which begins with `weights` where there are any.

    None stands for a person's model that cannot be had; `faults` tells why.
    """
    found: list[tuple[ModelSpec, Source] | None] = []
    names = short_names([str(spell(model)) for model in paired.models], paired.called)
    for name, model in zip(names, paired.models, strict=True):
        try:
            with telling_faults(model):
                spec, source = identify(model, classes, shape)
            if weights is not None:
                spec = replace(spec, weights=spec.weights or str(weights))
                spec, source = identify(spec, classes, shape)
            found.append((spec, source))
        except UsageError as fault:
            if not is_custom(model):
                raise
            faults[name] = str(fault)
            found.append(None)
    return found


def _list_recipes(
    recipes: Path | str | Recipe | Sequence[Path | str | Recipe],
) -> list[str | Recipe]:
    asked: Any = [] if recipes is None else recipes
    if isinstance(asked, Path | str | Recipe) or not isinstance(asked, Iterable):
        asked = [asked]
    return [str(recipe) if isinstance(recipe, Path) else recipe for recipe in asked]


def _load_recipes(asked: Sequence[str | Recipe], settings: Mapping[str, Any]) -> list[Recipe]:
    """Load recipes with `settings` overridden; UsageError where two of them are the same.

    A recipe without training keeps its own: only how images are shown is a setting of it.
    """
    loaded = [recipe if isinstance(recipe, Recipe) else load_recipe(recipe) for recipe in asked]
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


def _identify_parts(recipe: Recipe) -> str:
    if not own_parts(recipe):
        return ""
    from fashionbench.training.own_parts import identify_parts  # brings torch

    return identify_parts(recipe)


def _list_seeds(seeds: object) -> tuple[int, ...]:
    if isinstance(seeds, bool | str) or not isinstance(seeds, Integral | Iterable):
        raise UsageError(
            f"seeds is {seeds!r}, but should be a number of seeds, such as 5, or a list of them, "
            "such as [0, 1, 7]."
        )
    if isinstance(seeds, Integral):  # NumPy's are no int
        if seeds < 1:
            raise UsageError(f"{seeds} seeds cannot be compared; ask for 1 or more.")
        seeds = range(int(seeds))
    listed: tuple[int, ...] = tuple(islice(seeds, MOST_SEEDS + 1))
    if len(listed) > MOST_SEEDS:
        raise UsageError(
            f'More than {MOST_SEEDS:,} seeds cannot be compared; "7," stands for seed 7 alone.'
        )
    return listed


def _check_splits(study: Study) -> None:
    """Refuse splits dealt anew where the official one decides, or some luck is held."""
    if study.splits is None:
        return
    if study.until is not None:
        raise UsageError(
            "--until decides by runs on the official split, and --splits asks about others; give "
            "one of them."
        )
    if study.tuning is not None:
        raise UsageError(
            "--tune chooses by training images of the official split, and in the splits of "
            "--splits some of these are test images; leave one of the two out."
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


def _check_tuning(study: Study, tuning: Tuning) -> None:
    """Refuse what cannot be tuned, and seeds that do not go with it."""
    if len(study.seeds) < tuning.studies:
        raise UsageError(
            f"{len(study.seeds)} seeds cannot be shared out over what {tuning.studies} studies "
            f"choose; ask for --seeds {tuning.studies} or more."
        )
    if study.until is not None and tuning.studies > 1:
        raise UsageError(
            "--until adds seeds, and more seeds do not make the choice of settings any surer, of "
            "which --studies tells; leave one of them out."
        )
    if max(study.seeds) >= TUNING_SEEDS:
        raise UsageError(
            f"Seeds from {TUNING_SEEDS:,} up are those of tuning; compare with smaller ones."
        )
    for recipe in study.recipes:
        if recipe.epochs == 0:
            raise UsageError(
                f"The recipe {recipe.label} trains nothing, so nothing of it can be tuned; leave "
                "it out, or compare without --tune."
            )
        for setting, values in tuning.ranges.items():
            tuning.check(recipe, setting, values)
        for point in range(len(tuning.points)):
            tuning.trial_recipe(recipe, point)
    _refuse_tuned_apart(study, tuning)


def _refuse_tuned_apart(study: Study, tuning: Tuning) -> None:
    """Refuse recipes of a model that are the same once what differs is tuned."""
    fixed = dict.fromkeys(tuning.ranges)
    rows = [entry[0] for entry in study.entries()]
    for one, other in combinations(rows, 2):
        recipes = [job.recipe.unnamed.model_copy(update=fixed) for job in (one, other)]
        if one.model == other.model and recipes[0] == recipes[1]:
            raise UsageError(
                f"The recipes {one.recipe.label} and {other.recipe.label} differ in nothing but "
                f"what is tuned ({', '.join(tuning.ranges)}); name one of them."
            )
