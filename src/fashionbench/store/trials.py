"""How far the tuning of an entry has come, by its records: what is missing, what is chosen.

Nothing of it is stored. Whoever runs a tuning and whoever reports it ask the same question of the
same records, and so get the same answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from fashionbench.config.study import Job, Study
from fashionbench.config.tuning import FURTHER_SEEDS
from fashionbench.stats.choice import Choice, Side, Trial, at_edge, choose, second_stage
from fashionbench.store.records import RunRecord

__all__ = ["Progress", "follow"]

Load = Callable[[Job], RunRecord | None]


@dataclass(frozen=True)
class Progress:
    """The tuning of one entry: its trials so far, and what they lead to."""

    missing: tuple[Job, ...]
    """Trials to run next; none where tuning is over."""
    trials: tuple[Trial, ...]
    records: tuple[RunRecord, ...]
    """Those of the trials, in their order."""
    choices: tuple[Choice, ...] = ()
    """What each study chose; empty while trials are missing."""
    settings: tuple[dict[str, Any], ...] = ()
    """What the tuned settings are in each study, also where the recipe stays as it is."""
    edges: tuple[tuple[str, Side], ...] = ()
    """The sides of the space at which a study's choice lies."""
    jobs: tuple[Job, ...] = ()
    """The runs of the comparison by what was chosen, in the order of the study's seeds."""
    studies: tuple[int, ...] = ()
    """By which study's choice each of them trains."""


def follow(study: Study, entry: int, load: Load) -> Progress:
    """Follow the tuning of one of `study.entries()` as far as `load` finds its trials."""
    tuning = study.tuning
    assert tuning is not None
    missing: list[Job] = []
    found: list[tuple[Trial, RunRecord]] = []
    by_study = [_follow_study(study, entry, each, load) for each in range(tuning.studies)]
    for jobs, of_study in by_study:
        missing += jobs
        found += of_study
    trials = tuple(trial for trial, _ in found)
    records = tuple(record for _, record in found)
    if missing:
        return Progress(tuple(missing), trials, records)
    choices = tuple(choose([trial for trial, _ in of_study]) for _, of_study in by_study)
    recipe = next(islice(study.entries(), entry, None))[0].recipe
    shares = tuple(index % tuning.studies for index in range(len(study.seeds)))
    settings = tuple(tuning.settings(choice.point, recipe) for choice in choices)
    return Progress(
        missing=(),
        trials=trials,
        records=records,
        choices=choices,
        settings=settings,
        edges=_find_edges(study, entry, choices),
        jobs=tuple(
            study.tuned_job(entry, {} if choices[each].point is None else settings[each], seed)
            for each, seed in zip(shares, study.seeds, strict=True)
        ),
        studies=shares,
    )


def _follow_study(
    study: Study, entry: int, number: int, load: Load
) -> tuple[list[Job], list[tuple[Trial, RunRecord]]]:
    """Return what one study is to run next, and its trials so far."""
    assert study.tuning is not None
    points = study.tuning.points_of(entry, number)
    missing: list[Job] = []
    found: list[tuple[Trial, RunRecord]] = []

    def look_up(point: int | None, index: int) -> None:
        job = study.trial_job(entry, point, number, index)
        record = load(job)
        if record is None:
            missing.append(job)
            return
        loss, failed = record.scores.loss, record.outcome != "ok"
        trial = Trial(point, job.seed, number, 2 if index else 1, loss, failed)
        found.append((trial, record))

    for point in points:
        look_up(point, 0)
    if not missing:
        again = second_stage([trial for trial, _ in found])
        for index in range(1, 1 + FURTHER_SEEDS):
            for each in (None, *again):
                look_up(each, index)
    return missing, found


def _find_edges(
    study: Study, entry: int, choices: tuple[Choice, ...]
) -> tuple[tuple[str, Side], ...]:
    tuning = study.tuning
    assert tuning is not None
    points = tuning.points
    tried = [
        points[point].values
        for each in range(tuning.studies)
        for point in tuning.points_of(entry, each)
    ]
    edges = [
        edge
        for choice in choices
        if choice.point is not None
        for edge in at_edge(points[choice.point].values, tried)
    ]
    return tuple(dict.fromkeys(edges))
