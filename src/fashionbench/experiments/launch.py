"""Run what a study lacks: of all entries in turn some seeds alone, then the others together.

Time is measured alone, spread is measured together: a run that shares the machine has no
training time. Trials of tuning are not timed. Which strategy was chosen, and why, is logged.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from fashionbench.config.execution import Execution
from fashionbench.config.study import Device, Job, Study
from fashionbench.core.progress import progress_bar
from fashionbench.data.split import Dataset, check_held_out, deal_anew
from fashionbench.errors import (
    DataError,
    FashionbenchError,
    Interrupted,
    StoreError,
    UsageError,
)
from fashionbench.experiments.block import run_block
from fashionbench.experiments.cluster.conditions import digest_data, make_plan
from fashionbench.experiments.cluster.driver import Driver
from fashionbench.experiments.cluster.elsewhere import Part, Site, is_begun, run_elsewhere
from fashionbench.experiments.cluster.local import LocalWorkers
from fashionbench.experiments.cluster.plan import Block, data_name, split_evenly
from fashionbench.experiments.gate import Examination, builder, examine
from fashionbench.experiments.run import load_data_of, run_job
from fashionbench.experiments.strategy import choose, is_to_be_timed
from fashionbench.models.table import model_entry
from fashionbench.store.records import TestSet
from fashionbench.store.run_store import RunStore
from fashionbench.training.devices import resolve_device
from fashionbench.training.own_settings import differing_settings

__all__ = ["Bench", "open_bench", "run_missing"]

logger = logging.getLogger(__name__)

AT_A_TIME = 4
"""Seeds of every entry that are made before the next are begun, where the time is limited."""
SHARES, MOST_AT_ONCE = 8, 8
"""Into how many blocks a process's jobs are divided at least, so that none is left waiting for
another at the end; and the most jobs that a process takes at once."""


@dataclass(frozen=True)
class Bench:
    """What all runs of a study share."""

    dataset: Dataset
    data_dir: Path | str | None
    """Where other processes read the data set anew."""
    device: torch.device
    store: RunStore
    execution: Execution
    end: float | None = None
    """By time.monotonic, when no more runs are begun; None sets no end."""
    examined: dict[tuple[str, str, str], Examination] = field(default_factory=dict)
    """What is known of the models so far."""

    def examine(self, job: Job) -> Examination:
        """Examine the model of a job, once for all of its jobs."""
        key = (job.model, job.model_source, job.recipe_source)
        if key not in self.examined:
            on_official = job.model_copy(update={"split": 0})
            self.examined[key] = examine(on_official, self.dataset)
        return self.examined[key]


def open_bench(
    study: Study, store: RunStore, data_dir: Path | str | None, execution: Execution
) -> Bench:
    """Read the data of a study once for all of its runs; keep its test images for the report.

    Raises DataError for a data set that cannot be read, UsageError for a recipe that would hold
    out, or train on, more images than there are.
    """
    # A machine that only starts workers may lack the device that they have.
    device = resolve_device("cpu" if execution.on else study.device)
    dataset = load_data_of(study, data_dir)
    for note in dataset.notes:
        logger.warning(note)
    _check_recipes(study, dataset)
    _save_test_set(study, dataset, store)
    end = None if execution.seconds is None else time.monotonic() + execution.seconds
    return Bench(dataset, data_dir, device, store, execution, end)


def run_missing(
    entries: Iterable[tuple[int, Sequence[Job]]],
    bench: Bench,
    device: Device = "auto",
    *,
    name: str = "compare",
) -> dict[int, str]:
    """Run the jobs of `entries`, each with its row, that the store has no run of on `device`.

    All models are examined before any is trained. Returns what is wrong with rows that cannot be
    trained, which stop no other. `name` stands beside the progress bar. Raises UsageError for a
    model that cannot be examined.
    """
    missing = _find_missing(entries, bench.store, device)
    before = {model for model, *_ in bench.examined}
    new = [each.jobs[0] for each in missing if each.jobs[0].model not in before]
    examined = [bench.examine(each.jobs[0]) for each in missing]
    _tell_findings(new, [bench.examine(job) for job in new])
    with progress_bar(total=sum(len(m.jobs) for m in missing), unit="run", desc=name) as bar:
        if site := _find_site(bench, device):
            parts = [
                Part(each.jobs, known, each.timed)
                for each, known in zip(missing, examined, strict=True)
            ]
            lost = run_elsewhere(parts, site, bench.store, bar.update)
            found = ((m.row, lost[job.key]) for m in missing for job in m.jobs if job.key in lost)
            return {row: _tell_fault(error) for row, error in found}
        turns = [
            Turn(each, bench, findings) for each, findings in zip(missing, examined, strict=True)
        ]
        return _take_turns(turns, bench.end, bar.update)


def _take_turns(
    turns: Sequence["Turn"], end: float | None, done: Callable[[int], object]
) -> dict[int, str]:
    """Let entries go on in turn until all is done or the time is up; return faults by row.

    Where the time is limited, all have as many seeds before more are begun.
    """
    faults = dict[int, str]()
    limit, more = 0 if end is not None else None, 0
    while turns := [turn for turn in turns if turn.waiting and turn.row not in faults]:
        going = [turn for turn in turns if turn.count_waiting(limit)]
        if not going:
            whole = min(turn.next_place for turn in turns)
            limit, more = whole + min(more + 1, AT_A_TIME), min(more + 1, AT_A_TIME)
            if end is not None and more > 1 and _is_late(turns, end, limit):
                logger.warning(
                    "No more seeds fit in the time that was given; all models have %d.", whole
                )
                break
        for turn in going:
            try:
                turn.go_on(done, limit)
            except FashionbenchError as error:
                faults[turn.row] = _tell_fault(error)
    return faults


def _tell_fault(error: FashionbenchError) -> str:
    """Tell what is wrong with a model. Raises what is wrong with the data, the store or a stop."""
    if isinstance(error, DataError | StoreError | Interrupted):
        raise error
    return str(error)


def _is_late(turns: Sequence["Turn"], end: float, limit: int) -> bool:
    """Tell whether all seeds up to a limit would end too late."""
    return time.monotonic() + sum(turn.estimate_seconds(limit) for turn in turns) > end


def _find_site(bench: Bench, device: Device) -> Site | None:
    """Return where runs take place, if not here: also what workers have left is theirs."""
    execution = bench.execution
    on = execution.on
    if on is None and is_begun(bench.store.folder):
        on = f"workers:{execution.jobs or torch.get_num_threads()}"
        logger.info("What is left of the plan for other machines is finished here, by %s.", on)
    if on is None:
        return None
    _, command = bench.store.load_study()
    return Site(on, bench.dataset, bench.data_dir, device, execution.parallel, command)


def _check_recipes(study: Study, dataset: Dataset) -> None:
    labels = dataset.train.labels.numpy()
    for recipe in study.recipes:
        try:
            check_held_out(labels, recipe.validation_images, recipe.train_images)
        except UsageError as error:
            raise UsageError(f"recipe {recipe.label}: {error}") from None


def _save_test_set(study: Study, dataset: Dataset, store: RunStore) -> None:
    store.save_test_set(
        TestSet(
            study.test_set,
            dataset.title,
            dataset.classes,
            dataset.test.images.numpy(),
            dataset.test.labels.numpy(),
        )
    )


@dataclass(frozen=True)
class Missing:
    """The jobs of an entry that have no record yet."""

    row: int
    jobs: list[Job]
    places: list[int]
    """Of each job its place among all jobs of the entry."""
    timed: int
    """How many runs of the entry have a training time."""


def _find_missing(
    entries: Iterable[tuple[int, Sequence[Job]]], store: RunStore, device: Device
) -> list[Missing]:
    """List what each entry lacks.

    A job of two entries, as where tuning left a recipe as it is, is one of the first.
    """
    lacking, listed = [], set[str]()
    for row, entry in entries:
        found = [store.load_run(job, device) for job in entry]
        places = [
            place
            for place, (job, run) in enumerate(zip(entry, found, strict=True))
            if run is None and job.key not in listed
        ]
        missing = [entry[place] for place in places]
        listed.update(job.key for job in missing)
        timed = sum(run is not None and run.train_seconds is not None for run in found)
        if missing:
            lacking.append(Missing(row, missing, places, timed))
    return lacking


def _tell_findings(jobs: Sequence[Job], examined: Sequence[Examination]) -> None:
    """Log what was found out about models: once, by however many recipes one is trained."""
    sentences = [
        sentence
        for job, findings in zip(jobs, examined, strict=True)
        for sentence in findings.sentences(model_entry(job.spec).label)
    ]
    for sentence in dict.fromkeys(sentences):
        logger.warning(sentence)


class Turn:
    """The runs that an entry lacks, of which some are made whenever it is its turn.

    Entries take turns, so that a comparison that is stopped, or has its time used up, has about as
    many seeds of each.
    """

    def __init__(self, missing: Missing, bench: Bench, examined: Examination) -> None:
        self.row = missing.row
        self.waiting = deque(zip(missing.places, missing.jobs, strict=True))
        self._bench, self._examined = bench, examined
        self._timed, self._alone = missing.timed, 0.0
        self._pace = 0.0
        """Seconds a run, when there were some the last time."""

    @property
    def next_place(self) -> int:
        """Where the next run stands among all of the entry."""
        return self.waiting[0][0]

    def count_waiting(self, limit: int | None) -> int:
        """Count the runs that stand before a limit."""
        return sum(limit is None or place < limit for place, _ in self.waiting)

    def estimate_seconds(self, limit: int) -> float:
        """Estimate how long the runs before a limit take; 0 where none was made yet."""
        return self._pace * self.count_waiting(limit)

    def _is_to_be_timed(self) -> bool:
        return (
            self._bench.execution.parallel == "serial"
            or len(self.waiting) == 1  # with no other to run together with
            or is_to_be_timed(self.waiting[0][1], self._timed, self._alone)
        )

    def go_on(self, done: Callable[[int], object], limit: int | None) -> None:
        """Make the next run alone, by the clock, or all before a limit together."""
        size, start = self.count_waiting(limit), time.perf_counter()
        if self._is_to_be_timed():
            size = 1
        jobs = [self.waiting.popleft()[1] for _ in range(size)]
        dataset = deal_anew(self._bench.dataset, jobs[0].split).to(self._bench.device)
        bench = replace(self._bench, dataset=dataset)
        if size == 1:
            run_job(jobs[0], dataset, bench.device, bench.store, self._examined)
            done(1)
            self._timed += 1
            self._alone += time.perf_counter() - start
        else:
            _run_by_strategy(jobs, bench, self._examined, done)
        self._pace = (time.perf_counter() - start) / size


def _run_by_strategy(
    jobs: Sequence[Job], bench: Bench, examined: Examination, done: Callable[[int], object]
) -> None:
    dataset, device, store = bench.dataset, bench.device, bench.store
    build = builder(jobs[0], dataset)
    differing = differing_settings([job.recipe for job in jobs])
    choice = choose(build, jobs[0], dataset.train, bench.execution, len(jobs), differing=differing)
    label = model_entry(jobs[0].spec).label
    logger.info("%s: %d runs, %s: %s", label, len(jobs), choice.strategy, choice.why)
    if choice.strategy == "processes":
        _run_in_processes(jobs, bench, examined, done)
        return
    run_block(jobs, choice, dataset, device, store, examined, alone=True, done=done)


def _run_in_processes(
    jobs: Sequence[Job], bench: Bench, examined: Examination, done: Callable[[int], object]
) -> None:
    """Run jobs in worker processes, one a thread by default.

    Raises what went wrong in one, when the others are finished and kept.
    """
    threads = torch.get_num_threads()
    workers = min(len(jobs), bench.execution.jobs or threads)
    plan = make_plan(
        {data_name(jobs[0]): digest_data(bench.dataset)},
        bench.data_dir,
        threads=threads // workers,
        device="cpu",
        parallel="serial",
    )
    size = min(MOST_AT_ONCE, max(1, len(jobs) // (workers * SHARES)))
    driver = Driver(bench.store, plan)
    driver.keep(())
    known = asdict(examined)
    driver.add(Block(jobs=part, examined=known) for part in split_evenly(jobs, size))
    for error in driver.run(LocalWorkers(bench.store.folder, workers), done).values():
        raise error
