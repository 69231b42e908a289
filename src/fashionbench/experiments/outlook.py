"""What a comparison will be able to show, and what it will cost, before any of it runs.

The spread of seeds is that of runs which the run folder holds already, or is assumed and said to
be; so is the time, which is else measured on a few steps. The test set is not looked at.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fashionbench.config.study import Device, Job, Study
from fashionbench.errors import StoreError
from fashionbench.report.numbers import format_size, pluralize
from fashionbench.stats import difference as differences
from fashionbench.stats.intervals import CONFIDENCE, normal_quantile
from fashionbench.stats.sequential import MOST_NEEDED, seeds_needed, smallest_shown
from fashionbench.store.records import RunRecord
from fashionbench.store.run_store import RunStore

__all__ = ["Outlook", "PairOutlook", "look_ahead"]

ASSUMED_SD = 0.015
"""Of the differences of two runs of one seed, where nothing is recorded: as of two small networks
after three epochs, which differ from seed to seed by about 1 point each."""
KNOWN_FROM = 3
"""Seeds from which a recorded spread is used."""
MOST_SEEDS = 100
"""Seeds, from 0 up, of which runs are looked for."""
STEPS = 20
"""On which a run is timed."""


@dataclass(frozen=True)
class PairOutlook:
    """What the seeds can tell of two rows; differences of accuracy are fractions."""

    a: str
    b: str
    sd: float
    recorded_seeds: int
    """From how many seeds the spread is known; 0 where it is assumed."""
    smallest: float | None
    """The smallest difference that the seeds show in four of five cases; None where they show none,
    as one seed."""
    seeds_for: int | None
    """Seeds that show the difference that was asked for; None where none was, or of more than a
    million."""
    error_of_images: float | None
    """How far other test images may change the difference, at 95 %, whatever the seeds."""


@dataclass(frozen=True)
class Outlook:
    """What a comparison will be able to show, and what it will cost."""

    seeds: int
    difference: float | None
    pairs: list[PairOutlook]
    runs: int
    recorded: int
    seconds: float
    """Of training one run after another; less where seeds train together."""
    seconds_of_a_run: dict[str, float]

    @property
    def looks(self) -> int:
        """How often the test set is looked at: once for each run that is not there yet."""
        return self.runs - self.recorded

    def __str__(self) -> str:
        parts = [_describe(pair, self) for pair in self.pairs]
        each = ", ".join(
            f"{name} {seconds:.2g} s" for name, seconds in self.seconds_of_a_run.items()
        )
        parts.append(
            f"{pluralize(self.runs, 'run')}, {self.recorded} of them recorded: "
            f"{pluralize(self.looks, 'look')} at the test set, {_in_words(self.seconds)} of "
            f"training one after another (a run of {each})"
        )
        return "\n".join(parts)


def _describe(pair: PairOutlook, outlook: Outlook) -> str:
    source = f"from {pair.recorded_seeds} recorded seeds" if pair.recorded_seeds else "assumed"
    points = f"{100 * pair.sd:.2f} points"
    lines = [f"{pair.a} | {pair.b}: their difference varies by {points} over seeds ({source})"]
    if pair.smallest is None:
        detect = "one seed detects" if outlook.seeds == 1 else f"{outlook.seeds} seeds detect"
        lines.append(f"  {detect} no difference in four of five cases; ask for more")
    else:
        size = f"{100 * pair.smallest:.2f} points or more"
        lines.append(f"  {outlook.seeds} seeds detect a difference of {size} in four of five cases")
    if outlook.difference is not None:
        seeds = f"more than {MOST_NEEDED:,}" if pair.seeds_for is None else f"{pair.seeds_for:,}"
        lines.append(f"  detecting {format_size(outlook.difference)} takes {seeds} seeds")
    if pair.error_of_images is not None:
        lines.append(
            f"  other test images may change it by {100 * pair.error_of_images:.2f} points, "
            "however many seeds there are"
        )
    return "\n".join(lines)


def _in_words(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def look_ahead(
    study: Study,
    folder: Path,
    data_dir: Path | str | None = None,
    *,
    difference: float | None = None,
    sd: float | None = None,
) -> Outlook:
    """Find out what `study` in `folder` will be able to show, and what it will cost.

    `difference` is one of accuracies that is to be shown, `sd` the spread of differences between
    runs of one seed, where it is known from elsewhere. Nothing is written.
    """
    store = _open(folder)
    rows = [
        _Row.load(name, jobs, study, store)
        for name, jobs in zip(_name_rows(study), study.entries(), strict=True)
    ]
    pairs = [*combinations(rows, 2)]
    alpha = (1 - CONFIDENCE) / max(1, len(pairs))
    kept = None if store is None else store.load_test_set(study.test_set)
    labels = None if kept is None else kept.labels
    seconds = {row.name: _seconds_of_a_run(row, data_dir, study.device) for row in rows}
    n = len(study.seeds)
    return Outlook(
        seeds=n,
        difference=difference,
        pairs=[_look_at(a, b, _know(a, b, labels, sd), n, alpha, difference) for a, b in pairs],
        runs=sum(len(row.jobs) for row in rows),
        recorded=sum(len(row.jobs) - row.missing for row in rows),
        seconds=sum(seconds[row.name] * row.missing for row in rows),
        seconds_of_a_run=seconds,
    )


@dataclass(frozen=True)
class _Row:
    """A row of the table to be, and the runs of it that are recorded, of whichever seeds."""

    name: str
    jobs: tuple[Job, ...]
    runs: dict[int, RunRecord]

    @classmethod
    def load(cls, name: str, jobs: tuple[Job, ...], study: Study, store: RunStore | None) -> "_Row":
        seeds = sorted({*range(MOST_SEEDS), *study.seeds}) if store is not None else []
        runs = {}
        for seed in seeds:
            job = jobs[0].model_copy(update={"seed": seed})
            run = store.load_run(job, study.device) if store is not None else None
            if run is not None:
                runs[seed] = run
        return cls(name, jobs, runs)

    @property
    def missing(self) -> int:
        """How many of its jobs are yet to be run."""
        return sum(job.seed not in self.runs for job in self.jobs)


def _name_rows(study: Study) -> Iterator[str]:
    """Yield what each row is called: by its model, and by its recipe where there are several."""
    for model, recipe in study.places.values():
        name = study.names[model]
        yield name if len(study.recipes) == 1 else f"{name} {study.recipes[recipe].label}"


def _open(folder: Path) -> RunStore | None:
    try:
        return RunStore(folder)
    except StoreError:
        return None


class _Known(NamedTuple):
    """What is known of the spread of differences, and from how many seeds; 0 where assumed."""

    sd: float
    seeds: int = 0
    error_of_images: float | None = None


def _know(a: _Row, b: _Row, labels: NDArray[np.uint8] | None, sd: float | None) -> _Known:
    shared = sorted({*a.runs} & {*b.runs})
    if labels is None or len(shared) < KNOWN_FROM:
        return _Known(ASSUMED_SD if sd is None else sd)
    correct = [np.stack([row.runs[seed].predicted == labels for seed in shared]) for row in (a, b)]
    found = differences.difference(*correct)
    error = normal_quantile() * found.spread.error_over_images
    if sd is not None:
        return _Known(sd, 0, error)
    return _Known(found.sd or 0.0, len(shared), error)


def _look_at(
    a: _Row, b: _Row, known: _Known, seeds: int, alpha: float, sought: float | None
) -> PairOutlook:
    smallest = smallest_shown(seeds, known.sd, alpha) if seeds > 1 else 1.0
    return PairOutlook(
        a=a.name,
        b=b.name,
        sd=known.sd,
        recorded_seeds=known.seeds,
        smallest=smallest if smallest < 1 else None,
        seeds_for=None if sought is None else seeds_needed(sought, known.sd, alpha),
        error_of_images=known.error_of_images,
    )


def _seconds_of_a_run(row: _Row, data_dir: Path | str | None, device: Device) -> float:
    """Return the median of the recorded times, or time a few steps."""
    known = [run.train_seconds for run in row.runs.values() if run.train_seconds is not None]
    if known:
        return statistics.median(known)
    job = row.jobs[0]
    return 0.0 if job.recipe.epochs == 0 else _time_steps(job, data_dir, device)


def _time_steps(job: Job, data_dir: Path | str | None, device: Device) -> float:
    from fashionbench.data.split import hold_out
    from fashionbench.experiments.gate import builder
    from fashionbench.experiments.run import load_data_of
    from fashionbench.training.batches import count_steps
    from fashionbench.training.loop import fit

    data = load_data_of(job, data_dir)
    recipe = job.recipe
    training, _ = hold_out(data.train, recipe.validation_images, recipe.train_images)
    steps = count_steps(len(training), recipe)
    images = min(len(training), max(STEPS * recipe.batch_size, len(data.classes)))
    few = recipe.model_copy(
        update={"epochs": 1, "warm_up": 0.0, "patience": None, "train_images": images}
        | {"validation_images": 0, "probe_epochs": 0}
    )
    history = fit(builder(job, data)(job.run_seed), data.train, few, device=device)
    tried = count_steps(images, few)
    return (history.train_seconds or 0.0) / tried * steps * recipe.epochs
