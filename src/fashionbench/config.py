"""What is asked for: a Recipe says how to train, a Job is one run, a Study is a whole comparison.

All three are frozen and validated where they are made; command-line flags and
recipe files are two ways of filling the same fields. No torch in here, so that
a plan costs no more than reading a file.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fashionbench.errors import UsageError

__all__ = [
    "DEVICES",
    "WAYS",
    "Device",
    "Job",
    "OptimizerName",
    "Recipe",
    "Study",
    "Way",
    "load_recipe",
    "recipe_names",
]

OptimizerName = Literal["sgd", "adam", "rmsprop"]
Device = Literal["auto", "cpu", "cuda", "mps"]
DEVICES: tuple[Device, ...] = get_args(Device)
Way = Literal["auto", "stacked", "processes", "serial"]
"""How the seeds of a model are run together."""
WAYS: tuple[Way, ...] = get_args(Way)

# Part of every job's key: raised whenever the same job would give other numbers than before.
PROTOCOL = 1


class _Frozen(BaseModel):
    """A value: validated once, never changed; refusals are one sentence each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def checked(cls, fields: Mapping[str, Any], where: str) -> Self:
        """Build from `fields`; a bad one becomes a UsageError that starts with `where`."""
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            raise UsageError(f"{where}: {_sentence(error, cls)}") from None


def _sentence(error: ValidationError, model: type[BaseModel]) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {key!r}; there are {', '.join(model.model_fields)}."
    message = problem["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{key} is {problem['input']!r}, but {message}."


class Recipe(_Frozen):
    """How to train: everything but the model, the data and the seed."""

    name: str = Field(description="what the recipe is called in tables and files")
    description: str = Field("", description="one line for the list of recipes")
    epochs: int = Field(3, ge=1, description="passes over the training images")
    batch_size: int = Field(
        32, ge=1, description="images a step; an epoch's last batch may be short"
    )
    optimizer: OptimizerName = Field("sgd", description="the update rule")
    learning_rate: float = Field(0.1, gt=0, allow_inf_nan=False, description="the step size")
    validation_images: int = Field(
        0, ge=0, description="training images held out, the same for every model; 0 holds out none"
    )

    def override(self, **settings: Any) -> "Recipe":
        """A copy with the settings that are not None replaced, and named after the difference.

        Raises UsageError for an unknown setting or a value out of range.
        """
        asked = {key: value for key, value in settings.items() if value is not None}
        changed = Recipe.checked(self.model_dump() | asked, f"recipe {self.name}")
        differences = [
            f"{key}={getattr(changed, key)}"
            for key in asked
            if getattr(changed, key) != getattr(self, key)
        ]
        return changed.model_copy(update={"name": " ".join([self.name, *differences])})


def recipe_names() -> list[str]:
    """The shipped recipes, `seed` first."""
    folder = files("fashionbench") / "recipes"
    names = [entry.name.removesuffix(".toml") for entry in folder.iterdir()]
    return sorted(names, key=lambda name: (name != "seed", name))


def load_recipe(name: str) -> Recipe:
    """Read a shipped recipe by its name. Raises UsageError for an unknown one."""
    if name not in recipe_names():
        raise UsageError(
            f"There is no recipe {name!r}; there are {', '.join(recipe_names())}. "
            "Single settings are changed by flags such as --epochs 5."
        )
    text = (files("fashionbench") / "recipes" / f"{name}.toml").read_text("utf-8")
    return Recipe.checked({"name": name, **tomllib.loads(text)}, f"recipe {name}")


class Job(_Frozen):
    """One run: this model, trained this way, from this seed, on this data set."""

    model: str
    model_source: str = ""
    """A digest of the source of a person's own model; empty for the models of the table."""
    recipe: Recipe
    seed: int = Field(ge=0)
    dataset: str

    @property
    def key(self) -> str:
        """A hash of everything that can change the result; names and descriptions cannot."""
        facts = self.model_copy(
            update={"recipe": self.recipe.model_copy(update={"name": "", "description": ""})}
        )
        return hashlib.sha256(f"{PROTOCOL} {facts.model_dump_json()}".encode()).hexdigest()[:16]


class Study(_Frozen):
    """A whole comparison: every model with every recipe from every seed."""

    models: tuple[str, ...] = Field(min_length=1)
    model_sources: tuple[str, ...] = ()
    recipes: tuple[Recipe, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    dataset: str
    device: Device = "auto"
    until: float | None = Field(None, gt=0, lt=1)
    """Seeds are added until each pair is decided, or a difference this large is excluded."""
    max_seeds: int = Field(100, ge=2)
    """Where adding ends in any case."""

    @field_validator("models", "seeds", "recipes")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("each may be named only once")
        return values

    @field_validator("seeds")
    @classmethod
    def _not_negative(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if min(seeds) < 0:
            raise ValueError("seeds are whole numbers from 0 up")
        return seeds

    def entries(self) -> Iterator[tuple[Job, ...]]:
        """The rows of the table: for each model and recipe its jobs, one a seed."""
        sources = self.model_sources or ("",) * len(self.models)
        for model, source in zip(self.models, sources, strict=True):
            for recipe in self.recipes:
                yield tuple(
                    Job(
                        model=model,
                        model_source=source,
                        recipe=recipe,
                        seed=seed,
                        dataset=self.dataset,
                    )
                    for seed in self.seeds
                )
