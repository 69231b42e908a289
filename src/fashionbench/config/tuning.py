"""A Tuning: which settings are given their best values before a comparison, and by what trials.

Every entry of a comparison tries the same points of the same space, beside the recipe as it is.
With several studies each has points and seeds of its own, so that each chooses as if it were alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, model_validator

from fashionbench.config.recipe import SEARCHED, SETTINGS, SHORT_NAMES, Recipe
from fashionbench.config.search_space import Range, Side, halton
from fashionbench.config.validated import Number, Validated, Whole
from fashionbench.errors import UsageError

__all__ = [
    "FURTHER_SEEDS",
    "TUNING_SEEDS",
    "Point",
    "Tune",
    "Tuning",
    "read_duration",
    "read_tuning",
    "trial_seed",
]

Tune = str | Sequence[str] | Mapping[str, str]
"""Settings to tune, as people name them: "lr,weight_decay", a list, or each with its range."""

FURTHER_SEEDS = 3
"""The best quarter of the points is trained from so many more seeds, and these decide."""
TUNING_SEEDS = 1_000_000
"""The first seed of the trials: those of the comparison lie below."""

_TRIALS = 15
_MOST_TRIALS = 100
"""The most trials of an entry where a budget limits them, however cheap they are."""
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}

_SIZES = "batch_size"
"""The one setting of whole numbers that is searched; the others are rounded to 3 digits."""


@dataclass(frozen=True)
class Point:
    """A point of the search space, tried in one study by every entry."""

    study: int
    values: Mapping[str, float]
    """By setting; factors of the recipe's own value where the setting's range is relative."""


class Tuning(Validated):
    """What is tuned, over which ranges, by how many trials in how many studies."""

    ranges: dict[str, Range] = Field(min_length=1)
    trials: Whole = Field(_TRIALS, ge=1, le=1000)
    """Points that each entry tries, in all studies together; at most, where there is a budget."""
    studies: Whole = Field(1, ge=1)
    budget: Annotated[Number, Field(gt=0)] | None = None
    """Seconds that tuning may take, for all entries together."""
    images: int = 0
    """Training images of the data set; 0 until it was read."""
    dealt: tuple[int, ...] = ()
    """The trials of each entry that the budget pays for; empty until they are known."""
    widened: tuple[tuple[str, Side], ...] = ()
    """The sides at which the space proved too small and was widened, for every entry."""

    @model_validator(mode="after")
    def _each_study_has_a_point(self) -> "Tuning":
        if self.trials < self.studies:
            raise ValueError(
                f"{self.trials} trials cannot be dealt into {self.studies} studies; ask for "
                f"--trials {self.studies} or more, or for fewer studies"
            )
        return self

    @property
    def points(self) -> tuple[Point, ...]:
        """All points: those of the first study, of the second, ..., then those that widening added.

        Each study has a scramble of its own: parts of one sequence would avoid each other.
        """
        return tuple(
            Point(study, values)
            for block, ranges in enumerate(self._spaces())
            for study in range(self.studies)
            for values in self._block(block, ranges, study)
        )

    def _spaces(self) -> list[Mapping[str, Range]]:
        """List the space, and what was added to it at each widened side."""
        beyond = [
            {**self.ranges, setting: self.ranges[setting].beyond(side)}
            for setting, side in self.widened
        ]
        return [self.ranges, *beyond]

    def _block(
        self, block: int, ranges: Mapping[str, Range], study: int
    ) -> list[Mapping[str, float]]:
        count = self._count(self.trials, study, widened=block > 0)
        places = halton(count, len(ranges), 1000 * block + study)
        return [
            {name: ranges[name].at(u) for name, u in zip(ranges, place, strict=True)}
            for place in places
        ]

    def _count(self, trials: int, study: int, *, widened: bool) -> int:
        """Count a study's points in the space, or in what was added to it: as dense, so half."""
        share = trials // self.studies + (study < trials % self.studies)
        return -(-share // 2) if widened else share

    def trials_of(self, entry: int) -> int:
        """Return how many points an entry tries, those apart that widening added."""
        return self.dealt[entry] if self.dealt else self.trials

    def points_of(self, entry: int, study: int) -> tuple[int, ...]:
        """List the points that an entry tries in a study, as places in `points`."""
        found: list[int] = []
        start = 0
        for block in range(1 + len(self.widened)):
            for each in range(self.studies):
                if each == study:
                    count = self._count(self.trials_of(entry), study, widened=block > 0)
                    found += range(start, start + count)
                start += self._count(self.trials, each, widened=block > 0)
        return tuple(found)

    def settings(self, point: int | None, recipe: Recipe) -> dict[str, Any]:
        """Return what a recipe's settings are at a point; None stands for the recipe as it is."""
        if point is None:
            return {name: getattr(recipe, name) for name in self.ranges}
        return {
            name: _round(name, value * (getattr(recipe, name) if self.ranges[name].relative else 1))
            for name, value in self.points[point].values.items()
        }

    def can_widen(self, setting: str, side: Side, recipes: Sequence[Recipe]) -> bool:
        """Tell whether every recipe could have what lies beyond that end of a range."""
        beyond = self.ranges[setting].beyond(side)
        try:
            for recipe in recipes:
                self.check(recipe, setting, beyond)
        except UsageError:
            return False
        return True

    def check(self, recipe: Recipe, setting: str, values: Range) -> None:
        """Raise UsageError unless a recipe may have both ends of a range as a setting's value."""
        own = getattr(recipe, setting) if values.relative else 1
        for end in (values.low, values.high):
            recipe.override(**{setting: _round(setting, end * own)})

    def trial_recipe(self, recipe: Recipe, point: int | None) -> Recipe:
        """Return the recipe by which a point is tried, which always holds out validation images.

        Where the recipe itself holds out none, that is a tenth of the training images, once it is
        known how many there are.
        """
        settings = {} if point is None else self.settings(point, recipe)
        if self.images and not recipe.validation_images:
            settings["validation_images"] = self.images // 10
            if recipe.train_images is not None:
                left = self.images - self.images // 10
                settings["train_images"] = min(recipe.train_images, left)
        return recipe.override(**settings)


def _round(setting: str, value: float) -> float:
    return round(value) if setting == _SIZES else float(f"{value:.3g}")


def trial_seed(study: int, index: int) -> int:
    """Return a study's seed for the first stage of its trials (0), or a further one (1, 2, 3)."""
    return TUNING_SEEDS + 1000 * study + index


def read_tuning(
    tune: Tune | None, trials: int | None, studies: int, budget: float | str | None
) -> Tuning | None:
    """Read what is to be tuned, in the terms of `compare`; None where nothing is.

    Raises UsageError for what does not exist, is no number, or cannot be searched.
    """
    if tune is None:
        if trials is not None or studies != 1 or budget is not None:
            raise UsageError(
                "trials, studies and budget are for tuning; name what is tuned by --tune, such as "
                "--tune lr."
            )
        return None
    if trials is None:
        trials = _TRIALS if budget is None else _MOST_TRIALS
    return Tuning.checked(
        {
            "ranges": _read_ranges(tune),
            "trials": trials,
            "studies": studies,
            "budget": read_duration(budget),
        },
        "tune",
    )


def _read_ranges(tune: Tune) -> dict[str, Range]:
    if isinstance(tune, str):
        tune = [part.strip() for part in tune.split(",") if part.strip()]
    if not isinstance(tune, Sequence | Mapping):
        raise UsageError(f"tune is {tune!r}, but should name settings, such as 'lr'.")
    asked: Mapping[str, str | None] = tune if isinstance(tune, Mapping) else dict.fromkeys(tune)
    if not asked:
        raise UsageError(f"There is nothing to tune; name {', '.join(SEARCHED)}.")
    ranges = {}
    for name, text in asked.items():
        setting = SHORT_NAMES.get(name, str(name).replace("-", "_"))
        if setting not in SEARCHED:
            problem = "cannot be tuned" if setting in SETTINGS else "is no setting"
            raise UsageError(f"{name} {problem}; you can tune {', '.join(SEARCHED)}.")
        declared = SEARCHED[setting]
        ranges[setting] = (
            declared
            if text is None
            else Range.parse(text, relative=declared.relative, where=f"tune.{name}")
        )
    return ranges


def read_duration(text: float | str | None, name: str = "budget") -> float | None:
    """Read a time as seconds: a number, or one with s, m or h. Raises UsageError for others."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(s|m|h|)", str(text).strip())
    if found is None or float(found[1]) == 0:
        raise UsageError(
            f"{name} is {text!r}, but should be a time above 0, such as 90s, 10m or 2h."
        )
    return float(found[1]) * _UNITS[found[2]]
