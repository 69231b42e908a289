"""A Recipe says how to train; the tables here say what it may name. No torch in here.

Recipe files are TOML with the fields of `Recipe`; command-line flags replace single ones.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, model_validator
from pydantic.fields import FieldInfo

from fashionbench.config.augmentations import (
    AUGMENTATIONS,
    MIXINGS,
    Augmentation,
    own_augmentations,
    parse_augmentation,
)
from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.config.schedules import SCHEDULES
from fashionbench.config.search_space import Range
from fashionbench.config.validated import Number, Validated, Whole
from fashionbench.core.names import name_code
from fashionbench.errors import UsageError

__all__ = [
    "CROSS_ENTROPY",
    "SEARCHED",
    "SETTINGS",
    "SHORT_NAMES",
    "Recipe",
    "Views",
    "as_toml",
    "can_be_absent",
    "current_name",
    "format_value",
    "load_recipe",
    "own_parts",
    "recipe_names",
]

Views = Literal["one", "flip", "shifts"]

SHORT_NAMES = {"lr": "learning_rate"}
"""Settings by the short names that are typed."""
_RENAMED = {"seed": "default"}
"""Shipped recipes by the names that they had."""
CROSS_ENTROPY = "cross-entropy"
_OWN_PART = re.compile(r".+\.py:[\w.]+|[\w.]+:[\w.]+")
"""The reference of a person's own: `file.py:Name` or `package.module:Name`."""


def _one_of(table: Iterable[str]) -> Any:
    """Accept the keys of a table, and a person's own; the refusal names them."""

    def check(name: str) -> str:
        if name not in table and not _OWN_PART.fullmatch(name):
            raise ValueError(f"there are {', '.join(table)}, and file.py:Name for one of your own")
        return name

    return AfterValidator(check)


def _check_augmentation(table: Mapping[str, Augmentation]) -> Any:
    """Accept what `table` has, with a strength after a colon; the refusal says what is allowed."""

    def check(text: str) -> str:
        parse_augmentation(text, table)
        return text

    return AfterValidator(check)


def _split(value: Any) -> Any:
    """Take a list apart that is given as text with commas, as on the command line."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Fraction = Annotated[Number, Field(ge=0, lt=1)]


class Recipe(Validated):
    """How to train: everything but the model, the data and the seed."""

    name: str = Field(description="what the recipe is called in tables and files")
    description: str = Field("", description="one line for the list of recipes")
    overrides: tuple[tuple[str, str], ...] = Field(
        (), description="settings replaced after the recipe was read, each with its value"
    )
    epochs: Whole = Field(
        3, ge=0, description="passes over the training images; 0 scores the weights as they are"
    )
    batch_size: Annotated[Whole, Range("log", 8, 256)] = Field(
        32, ge=1, le=10**9, description="images a step; an epoch's last batch may be smaller"
    )
    optimizer: Annotated[str, _one_of(OPTIMIZERS)] = Field(
        "sgd", description=f"the update rule: {', '.join(OPTIMIZERS)}, or file.py:Name"
    )
    loss: Annotated[str, _one_of([CROSS_ENTROPY])] = Field(
        CROSS_ENTROPY,
        description="what training minimizes: cross-entropy, or file.py:name, a function of logits "
        "and labels",
    )
    learning_rate: Annotated[Number, Range("log", 1 / 32, 32, relative=True)] = Field(
        0.1, gt=0, description="the step size, at the schedule's peak"
    )
    momentum: Annotated[Fraction | None, Range("linear", 0, 0.99)] = Field(
        None, description="share of the last update kept (sgd, rmsprop: 0, muon: 0.95)"
    )
    nesterov: StrictBool | None = Field(
        None, description="look ahead along the momentum (sgd: no, muon: yes)"
    )
    betas: tuple[Fraction, Fraction] | None = Field(
        None, description="decays of the running means, such as 0.9,0.999 (the adams, lion, muon)"
    )
    weight_decay: Annotated[Number, Range("log", 1e-5, 0.1)] = Field(
        0, ge=0, description="pull towards zero, not on biases and norms"
    )
    gradient_clip: Annotated[Number | None, Range("log", 0.1, 10)] = Field(
        None, gt=0, description="largest norm of a step's whole gradient"
    )
    schedule: Annotated[str, _one_of(SCHEDULES)] = Field(
        "constant",
        description=f"how the learning rate changes: {', '.join(SCHEDULES)}, or file.py:name, a "
        "function of the step and the number of steps",
    )
    warm_up: Annotated[Number, Range("linear", 0, 0.9)] = Field(
        0, ge=0, description="epochs in which the learning rate rises linearly from 0"
    )
    label_smoothing: Annotated[Fraction, Range("linear", 0, 0.2)] = Field(
        0, description="share of the target spread over all classes (Szegedy et al. 2015)"
    )
    augmentation: Annotated[
        tuple[Annotated[str, _check_augmentation(AUGMENTATIONS)], ...], BeforeValidator(_split)
    ] = Field(
        (), description="augmentations of each image, in order, such as flip,shift:2 (see --show)"
    )
    mixing: Annotated[str, _check_augmentation(MIXINGS)] | None = Field(
        None, description="images mixed in pairs, with their labels: mixup:0.2 or cutmix:1"
    )
    probe_epochs: Whole = Field(
        0,
        ge=0,
        description="epochs that first train the last layer alone, on features computed once",
    )
    unfreeze_every: Whole | None = Field(
        None, ge=1, description="epochs after which one more layer is trained, the last layer first"
    )
    layer_decay: Number = Field(
        1,
        gt=0,
        le=1,
        description="factor of the learning rate from each layer to the one before it",
    )
    ema: Fraction = Field(
        0,
        description="use a running mean of the weights with this decay a step, such as 0.999; "
        "0 uses the weights themselves",
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="arithmetic of the forward pass in training; bf16 is autocast"
    )
    validation_images: Whole = Field(
        0, ge=0, description="training images held out, the same for every model; 0 holds out none"
    )
    train_images: Whole | None = Field(
        None,
        ge=1,
        description="train on this many images only, the same for every model, each class in "
        "proportion",
    )
    patience: Whole | None = Field(
        None,
        ge=1,
        description="stop after this many epochs without improvement, and take the best weights",
    )
    monitor: Literal["loss", "accuracy"] = Field(
        "loss", description="what counts as improvement, on the validation images"
    )
    min_improvement: Number = Field(0, ge=0, description="an improvement must be larger than this")
    test_views: Views = Field(
        "one",
        description="views of an image whose logits are averaged: itself; with its mirror image; "
        "both also shifted by a pixel along both diagonals",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_overrides_from_an_old_name(cls, fields: Any) -> Any:
        """Take `seed epochs=5` apart, as older run folders name a recipe with its overrides."""
        match fields:
            case {"name": str(text)} if "overrides" not in fields:
                name, *words = re.split(rf" (?=(?:{'|'.join(SETTINGS)})=)", text)
                overrides = [tuple(word.split("=", 1)) for word in words]
                return {**fields, "name": name, "overrides": overrides}
        return fields

    @model_validator(mode="after")
    def _settings_go_together(self) -> Self:
        for setting in ("momentum", "nesterov", "betas"):
            takers = [name for name, entry in OPTIMIZERS.items() if setting in entry.settings]
            is_own = self.optimizer not in OPTIMIZERS  # what it takes is found out by trying
            if getattr(self, setting) is not None and self.optimizer not in takers and not is_own:
                raise ValueError(f"{self.optimizer} takes no {setting}; {', '.join(takers)} do")
        if self.nesterov and self.optimizer == "sgd" and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0, such as 0.9")
        if self.loss != CROSS_ENTROPY and self.label_smoothing:
            raise ValueError("label_smoothing is cross-entropy's; leave it at 0 with another loss")
        if self.schedule == "one-cycle" and self.warm_up:
            raise ValueError("one-cycle has a warm-up of its own; leave warm_up at 0")
        if self.warm_up and self.warm_up >= self.epochs:
            raise ValueError(f"warm_up is {self.warm_up:g}, but there are {self.epochs} epochs")
        if self.patience is not None and not self.validation_images:
            raise ValueError(
                "patience needs validation images to watch; set validation_images, such as 5000"
            )
        return self

    @property
    def trains_layers_apart(self) -> bool:
        """Tell whether some layers are trained before others, or at rates of their own."""
        return bool(self.probe_epochs or self.unfreeze_every) or self.layer_decay != 1

    def learning_rate_at(
        self, step: int, steps_an_epoch: int, shape: Callable[[int, int], float] | None = None
    ) -> float:
        """Return the rate at a step, counted from 0 through all epochs.

        `shape` is the schedule's, where that is a person's own: see training/own_parts.py.
        """
        steps, warm_up = self.epochs * steps_an_epoch, round(self.warm_up * steps_an_epoch)
        if step < warm_up:
            return self.learning_rate * ((step + 1) / (warm_up + 1))
        shape = shape or SCHEDULES[self.schedule].shape
        return self.learning_rate * shape(step - warm_up, steps - warm_up)

    @property
    def label(self) -> str:
        """The name and what was overridden, such as `default epochs=5`: for tables and files."""
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.overrides)])

    def renamed(self, name: str) -> "Recipe":
        """Return the same recipe under a name of its own, which says nothing of overrides."""
        return self.model_copy(update={"name": name, "overrides": ()})

    @property
    def unnamed(self) -> "Recipe":
        """The settings alone: equal for all recipes that train in the same way."""
        return self.renamed("").model_copy(update={"description": ""})

    @property
    def in_words(self) -> str:
        """How it trains: four settings that every recipe has, and those not at their default."""
        basic_settings = {"epochs", "batch_size", "optimizer", "learning_rate"}
        others = [
            f"{key.replace('_', ' ')} {format_value(getattr(self, key))}"
            for key, field in SETTINGS.items()
            if key not in basic_settings and getattr(self, key) != field.default
        ]
        if self.epochs == 0:
            return "; ".join(["no training", *others])
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        basic = f"{epochs}, batch {self.batch_size}, "
        return "; ".join([f"{basic}{self.optimizer} at {self.learning_rate:g}", *others])

    def override(self, **settings: Any) -> "Recipe":
        """Return a copy with the settings that are not None replaced, and noted in `overrides`.

        "none" switches off what can be absent, such as mixing or patience. Another optimizer brings
        the rate to start from, and takes none of the settings of the one before, unless they are
        given too; one of a person's own keeps the rate. Raises UsageError for an unknown setting or
        a bad value.
        """
        given = asked = dict[str, Any]()
        for typed, value in settings.items():
            key = SHORT_NAMES.get(typed, typed)
            if value is None:
                continue
            if key in given:
                raise UsageError(f"{key} is given twice, once by a short name; give it once.")
            is_off = value == "none" and can_be_absent(key)
            given[key] = SETTINGS[key].default if is_off else name_code(key, value)
        optimizer = given.get("optimizer", self.optimizer)
        if optimizer != self.optimizer:
            entry = OPTIMIZERS.get(optimizer)
            rate = {} if entry is None else {"learning_rate": entry.learning_rate}
            asked = {**rate, **dict.fromkeys(("momentum", "nesterov", "betas")), **given}
        changed = Recipe.checked(self.model_dump() | asked, f"recipe {self.label}")
        differences = tuple(
            (key, format_value(value))
            for key in SETTINGS
            if (value := getattr(changed, key)) != getattr(self, key)
            and (key in given or (key in asked and value is not None))
        )
        return changed.model_copy(update={"overrides": self.overrides + differences})


SETTINGS: Mapping[str, FieldInfo] = {
    key: field
    for key, field in Recipe.model_fields.items()
    if key not in ("name", "description", "overrides")
}
"""The fields that say how to train; the others say what the recipe is called."""

SEARCHED: Mapping[str, Range] = {
    key: part
    for key, field in SETTINGS.items()
    for part in field.metadata
    if isinstance(part, Range)
}
"""The settings that can be tuned, each with the range in which it usually is."""


def own_parts(recipe: Recipe) -> list[str]:
    """List the references of all that is a person's own in a recipe, augmentations first."""
    tables = {"optimizer": OPTIMIZERS, "loss": (CROSS_ENTROPY,), "schedule": SCHEDULES}
    named = [getattr(recipe, key) for key, table in tables.items()]
    others = [name for name, table in zip(named, tables.values(), strict=True) if name not in table]
    return [*own_augmentations(recipe.augmentation), *others]


def can_be_absent(setting: str) -> bool:
    """Tell whether a setting may be absent, which "none" makes it."""
    field = SETTINGS.get(setting)
    return field is not None and field.default in (None, ())


def as_toml(setting: str, value: Any) -> str:
    """Write the line that a recipe's file would hold; values are written as in JSON."""
    return f"{setting} = {json.dumps(value)}"


def format_value(value: Any) -> str:
    """Format a setting's value for tables and sentences."""
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ",".join(map(format_value, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def recipe_names() -> list[str]:
    """List the shipped recipes, `default` first."""
    folder = files("fashionbench.config") / "recipes"
    names = [entry.name.removesuffix(".toml") for entry in folder.iterdir()]
    return sorted(names, key=lambda name: (name != "default", name))


def current_name(name: str) -> str:
    """Return a recipe's name of today: what is called `default` was once called `seed`.

    Older run folders and scripts call it so, also with overrides behind the name.
    """
    first, space, overrides = name.partition(" ")
    return f"{_RENAMED.get(first, first)}{space}{overrides}"


def load_recipe(name: Path | str) -> Recipe:
    """Read a shipped recipe by its name, or one's own by the path of its .toml file.

    Raises UsageError for one that is not there or says something that is not allowed.

    Examples:
        >>> recipe = fb.load_recipe("default").override(epochs=1)
        >>> recipe.epochs
        1
    """
    if str(name).endswith(".toml"):
        return _parse_recipe(Path(name), Path(name).stem, f"recipe {name}")
    name = current_name(str(name))
    if name not in recipe_names():
        raise UsageError(
            f"There is no recipe {name!r}; there are {', '.join(recipe_names())}, and paths of "
            ".toml files. Single settings are changed by flags such as --epochs 5."
        )
    shipped = files("fashionbench.config") / "recipes" / f"{name}.toml"
    return _parse_recipe(shipped, name, f"recipe {name}")


def _parse_recipe(file: Traversable, name: str, where: str) -> Recipe:
    try:
        fields = tomllib.loads(file.read_text("utf-8-sig"))  # as editors on Windows write it too
    except OSError as error:
        raise UsageError(f"{where} cannot be read ({error.strerror}).") from None
    except ValueError as error:  # not TOML, or not text
        raise UsageError(f"{where} is not a TOML file ({error}).") from None
    if "overrides" in fields:
        raise UsageError(f"{where}: overrides are made by flags; write the settings themselves.")
    return Recipe.checked({"name": name, **fields}, where)
