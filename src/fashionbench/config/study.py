"""What is asked for: a Job is one run, a Study a whole comparison.

Both are frozen and validated where they are made. No torch in here, so that a plan costs no more
than reading a file.
"""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from fashionbench.config.exclusion import Exclusion
from fashionbench.config.model_spec import ModelSpec
from fashionbench.config.naming import short_names
from fashionbench.config.recipe import Recipe
from fashionbench.config.tuning import Tuning, trial_seed
from fashionbench.config.validated import Number, Validated, Whole
from fashionbench.core.files import slug
from fashionbench.core.seeds import PURPOSES, PartialSeed, Seed, Source, SplitSeed
from fashionbench.core.shape import GREY28, Shape

__all__ = ["DEVICES", "Device", "Job", "Study", "Vary"]

Device = Literal["auto", "cpu", "cuda", "mps"]
DEVICES: tuple[Device, ...] = get_args(Device)
Vary = Literal["all", "weights", "order", "augmentation"]
"""What differs between seeds."""

PROTOCOL = 3
"""Part of every new job's key: raised whenever the same job would give other numbers."""
VIEWS_SINCE = {"shifts": " black"}
"""Added to the protocol of jobs with these test views: a shift has moved in black since then, and
moved in the opposite border before."""
MOST_SEEDS = 100_000
"""The most seeds of a comparison: who asks for more has left out the comma after one seed."""
FIRST_PROTOCOL = 2
"""The protocol of older jobs and studies, which name none: they can still be reported."""


class Job(Validated):
    """One run: this model, trained this way, from this seed, on this data set."""

    model: str
    model_source: str = ""
    """The `Source` of a person's own model, as text; empty for the models of the table."""
    recipe: Recipe
    recipe_source: str = ""
    """A digest of the sources of a person's own augmentations."""
    seed: Whole = Field(ge=0)
    vary: Vary = "all"
    """What the seed fixes; everything else random is that of HELD_SEED."""
    split: Annotated[Whole, Field(ge=0)] = 0
    """0 is the official split; every other is dealt anew from all images."""
    dataset: str
    dataset_source: str = ""
    """A digest of the content of a person's own data set; empty for those of the table."""
    channels: Literal[1, 3] = 1
    size: Whole = 28
    """Pixels a side of the images that the network is shown."""
    protocol: int = FIRST_PROTOCOL
    scored_on: Literal["test", "validation"] = "test"
    """Which images the trained model is scored on: for a trial of tuning, those held out."""

    @property
    def spec(self) -> ModelSpec:
        """The model's name, taken apart."""
        return ModelSpec.parse(self.model)

    @property
    def shape(self) -> Shape:
        """Channels and side of the images that networks are shown."""
        return Shape(self.channels, self.size)

    @property
    def test_set(self) -> str:
        """What the store calls the test images: another content or shape is another test set."""
        return _name_test_set(self)

    @property
    def run_seed(self) -> Seed:
        """What fixes all that is random in the run."""
        if self.split:
            return SplitSeed(self.seed, self.split)
        return self.seed if self.vary == "all" else PartialSeed(self.seed, self.vary)

    @property
    def is_only_scored(self) -> bool:
        """Whether the weights of a file are scored as they are, so that no seed changes a thing."""
        return self.recipe.epochs == 0 and self.spec.weights is not None

    @property
    def key(self) -> str:
        """A hash of everything that can change the result; names and descriptions cannot."""
        facts = self.model_copy(
            update={
                "recipe": self.recipe.unnamed,
                # The content says all that matters of a folder, wherever it lies.
                "dataset": "" if self.dataset_source else self.dataset,
                "protocol": FIRST_PROTOCOL,
            }
        )
        # Without what is at its default, so that a new setting leaves old keys as they are.
        text = facts.model_dump_json(exclude_defaults=True)
        views = self.recipe.test_views if self.protocol > FIRST_PROTOCOL else ""
        protocol = f"{self.protocol}{VIEWS_SINCE.get(views, '')}"
        return hashlib.sha256(f"{protocol} {text}".encode()).hexdigest()[:16]


def _name_test_set(asked: "Job | Study") -> str:
    name = asked.dataset_source or asked.dataset
    return name if asked.shape == GREY28 else f"{name} {asked.shape}"


class Study(Validated):
    """A whole comparison: every model with every recipe from every seed."""

    models: tuple[str, ...] = Field(min_length=1)
    model_sources: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    """Of each model the name that a person gave it, "" for none; empty where none has one."""
    origins: tuple[str, ...] = ()
    """Of each model the run folder that it was merged from; empty where none was merged."""
    recipes: tuple[Recipe, ...] = Field(min_length=1)
    recipe_sources: tuple[str, ...] = ()
    trained_by: tuple[tuple[int, ...], ...] = ()
    """Of each model the positions of its recipes; empty where every model has every recipe."""
    seeds: tuple[Whole, ...] = Field(min_length=1)
    vary: Vary = "all"
    """What differs between seeds."""
    dataset: str
    dataset_source: str = ""
    channels: Literal[1, 3] = 1
    size: Whole = 28
    """Pixels a side of the images that networks are shown."""
    device: Device = "auto"
    until: Number | None = Field(None, gt=0, lt=1)
    """Seeds are added until each pair is decided, or a difference this large is excluded."""
    max_seeds: Whole = Field(100, ge=2, le=MOST_SEEDS)
    """Where adding ends in any case."""
    splits: Whole | None = Field(None, ge=2, le=1000)
    """How many splits are dealt anew beside the official one; None deals none."""
    exclusion: Exclusion | None = None
    """Test images without which scores are told too."""
    tuning: Tuning | None = None
    """What is tuned before the comparison; None where all recipes are taken as they are."""
    skipped: tuple[int, ...] = ()
    """Of all rows the positions of those that were found faulty on the way."""
    left_out: tuple[tuple[str, str], ...] = ()
    """What was asked for and cannot be compared, each with its fault."""
    protocol: int = FIRST_PROTOCOL

    @model_validator(mode="after")
    def _no_model_twice(self) -> Self:
        """Refuse a model that is named twice; merged ones of one name have different sources."""
        sources = self.model_sources or ("",) * len(self.models)
        if len(set(zip(self.models, sources, strict=False))) < len(self.models):
            raise ValueError(f"models is {self.models!r}, but each may be named only once")
        return self

    @field_validator("seeds", "recipes")
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

    @property
    def shape(self) -> Shape:
        """Channels and side of the images that networks are shown."""
        return Shape(self.channels, self.size)

    @property
    def test_set(self) -> str:
        """What the store calls the test images: another content or shape is another test set."""
        return _name_test_set(self)

    @property
    def names(self) -> list[str]:
        """What tables, plots, sentences and commands call each of the models."""
        return short_names(self.models, self.called, self.origins)

    def held_for(self, recipe: Recipe) -> tuple[Source, ...]:
        """List what is the same for all seeds of a recipe though it could be random."""
        augments = recipe.augmentation or recipe.mixing
        return tuple(
            source
            for source in PURPOSES
            if self.vary not in ("all", source) and (augments or source != "augmentation")
        )

    @property
    def slug(self) -> str:
        """A name for the files of this comparison: that of another is another.

        Seeds that --until adds, and models found faulty on the way, make no other comparison.
        """
        seeds = len(self.seeds) if self.until is None else 0
        seeds_asked = (0,) if self.until else self.seeds
        asked = self.model_copy(
            update={"seeds": seeds_asked, "skipped": (), "left_out": (), "device": "auto"}
        )
        digest = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()[:6]
        names = "-".join(self.names[:3])
        more = f"-and-{len(self.models) - 3}" if len(self.models) > 3 else ""
        counted = f"-{seeds}-seeds" if seeds else ""
        return f"{slug(names)[:60]}{more}{counted}-{digest}"

    def entries(self) -> Iterator[tuple[Job, ...]]:
        """Yield the rows of the table as they are: of each model and recipe the jobs, one a seed.

        Weights that are only scored have one job, from the first seed.
        """
        for first in self._first_jobs():
            jobs = tuple(first.model_copy(update={"seed": seed}) for seed in self.seeds)
            yield jobs[:1] if first.is_only_scored else jobs

    @property
    def places(self) -> dict[int, tuple[int, int]]:
        """The positions of model and recipe of each row, by its position among all rows."""
        trained_by = self.trained_by or (range(len(self.recipes)),) * len(self.models)
        pairs = ((model, recipe) for model, by in enumerate(trained_by) for recipe in by)
        return {row: pair for row, pair in enumerate(pairs) if row not in self.skipped}

    def _first_jobs(self) -> Iterator[Job]:
        """Yield the job of each row from the first seed."""
        for model, recipe in self.places.values():
            yield Job(
                model=self.models[model],
                model_source=self.model_sources[model] if self.model_sources else "",
                recipe=self.recipes[recipe],
                recipe_source=self.recipe_sources[recipe] if self.recipe_sources else "",
                seed=self.seeds[0],
                vary=self.vary,
                dataset=self.dataset,
                dataset_source=self.dataset_source,
                channels=self.channels,
                size=self.size,
                protocol=self.protocol,
            )

    def dealt(self, jobs: tuple[Job, ...]) -> list[tuple[Job, ...]]:
        """List the jobs of a row on each split that is dealt anew.

        Weights that are only scored have none: they were trained on images of those test sets.
        """
        splits = range(1, 1 + (0 if jobs[0].is_only_scored else self.splits or 0))
        return [tuple(job.model_copy(update={"split": k}) for job in jobs) for k in splits]

    def groups(self) -> Iterator[tuple[int, tuple[Job, ...]]]:
        """Yield jobs that differ by their seed alone, each with the number of its row.

        First come those on the official split, then those on the others.
        """
        rows = [*self.entries()]
        yield from enumerate(rows)
        by_split = zip_longest(*map(self.dealt, rows), fillvalue=())
        yield from (group for on_split in by_split for group in enumerate(on_split) if group[1])

    def trial_job(self, entry: int, point: int | None, study: int, index: int) -> Job:
        """Return the trial of a point (None: of the recipe as it is) by one row of `entries`.

        `index` counts the seeds of the study: 0 is that of the first stage.
        """
        assert self.tuning is not None
        job = self._first_job(entry)
        changes = {
            "recipe": self.tuning.trial_recipe(job.recipe, point),
            "seed": trial_seed(study, index),
            "scored_on": "validation",
        }
        return job.model_copy(update=changes)

    def tuned_job(self, entry: int, settings: Mapping[str, Any], seed: int) -> Job:
        """Return a run of the comparison by one row of `entries`, with settings that were chosen.

        Without settings it is the job of the recipe as it is.
        """
        job = self._first_job(entry)
        changes = {"recipe": job.recipe.override(**settings), "seed": seed}
        return job.model_copy(update=changes)

    def _first_job(self, entry: int) -> Job:
        return next(islice(self._first_jobs(), entry, None))
