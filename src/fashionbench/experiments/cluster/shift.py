"""A worker's shift: it takes block after block until nothing is left or its time is over."""

import logging
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fashionbench.config.execution import Execution
from fashionbench.config.study import Job
from fashionbench.data.split import Dataset, deal_anew
from fashionbench.errors import DataError, FashionbenchError, StoreError, UsageError
from fashionbench.experiments.block import run_block
from fashionbench.experiments.cluster.canary import train_canary
from fashionbench.experiments.cluster.claims import Claim, Claims
from fashionbench.experiments.cluster.conditions import refuse_other_data
from fashionbench.experiments.cluster.heartbeat import Heartbeat
from fashionbench.experiments.cluster.inbox import Failure, Inbox, is_given_up
from fashionbench.experiments.cluster.plan import Block, Plan, PlanFolder, data_name
from fashionbench.experiments.gate import Examination, builder, refuse_changed
from fashionbench.experiments.run import load_data_of
from fashionbench.experiments.strategy import Choice, choose
from fashionbench.store.packed import run_file_names
from fashionbench.training.devices import resolve_device
from fashionbench.training.many_seeds.trial import draws_in_training
from fashionbench.training.own_settings import differing_settings

__all__ = ["Shift"]

logger = logging.getLogger(__name__)

POLL, LOCAL_POLL = 5.0, 0.2
"""Seconds between two looks for work where others hold all that is left; on one machine, fewer."""
HURRY = 1.5
"""A run is begun if so many times the seconds that it is expected to take are left."""


class _Over(Exception):
    """The block in hand is to be left: the time is nearly over, or another has the block now."""


@dataclass
class Shift:
    """One worker at work on the plan of a run folder."""

    folder: Path
    plan: Plan
    claims: Claims
    heartbeat: Heartbeat
    place: str
    """Where it is: what failed here is tried once more at another place."""
    is_local: bool
    """Whether a driver on this machine ends it, and starts another where it ends itself."""
    timed: bool = False
    """Whether the machine does nothing else: then it takes the blocks that are timed."""
    runs: int = 0
    """How many it has finished."""
    _failures: int = 0
    """Blocks that failed in a row."""
    _is_over: bool = False
    _seconds: float = 0.0
    """The longest time from one finished run to the next."""
    _data: dict[str, Dataset] = field(default_factory=dict)
    _dealt: dict[str, Dataset] = field(default_factory=dict)
    _choices: dict[str, Choice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._inbox, self._plan_folder = Inbox(self.folder), PlanFolder(self.folder)
        self._device = resolve_device(self.plan.device)
        if self.plan.on:  # with processes of a comparison there is only this machine
            self._inbox.canary = train_canary(self._device)
        self._most_failures = 1 if self.is_local else 3

    def work(self) -> None:
        """Take blocks until nothing is left, the time is over, or this place seems at fault.

        Raises StoreError where nothing can be written, DataError where the data are not at hand,
        UsageError where the plan has become another.
        """
        idle_since = None
        while not self._is_over and self._failures < self._most_failures:
            if claim := self._take():
                idle_since = None
                self._work_on(claim)
                continue
            idle_since = idle_since or time.monotonic()
            # Whoever holds what is left may die, and is known to have after the patience.
            if not self.is_local and not self._may_get_work(time.monotonic() - idle_since):
                return
            time.sleep(LOCAL_POLL if self.is_local else min(POLL, self.plan.patience / 20))

    def work_once(self) -> None:
        """Take one block, and whatever becomes of it no other."""
        if claim := self._take():
            self._work_on(claim)

    def _take(self) -> Claim | None:
        """Claim a block: one that nobody failed of, else one that failed once, elsewhere."""
        self._refuse_other_plan()
        names, failed = self._names(), self._inbox.failed()
        claim = self.claims.take(name for name in names if name not in failed)
        return claim or self.claims.take(
            name for name in names if name in failed and self._may_retry(name)
        )

    def _names(self) -> list[str]:
        """List the blocks for this worker; a driver's own is for the others after those timed."""
        names = self._plan_folder.names(timed=self.timed)
        if not names and self.timed and self.is_local:
            self.timed = False
            return self._names()
        return names

    def _refuse_other_plan(self) -> None:
        if self._plan_folder.load().conditions != self.plan.conditions:
            raise UsageError(
                f"The plan in {self.folder} has become another since this worker started; start "
                "it again."
            )

    def _may_retry(self, name: str) -> bool:
        """Tell whether a failed block is for this worker: its second trial is for another place.

        If none has come for it within the patience, it is for the same one.
        """
        failures = self._inbox.read_failures(name)
        if is_given_up(failures):
            return False
        if failures[0].place != self.place:
            return True
        return self.claims.age_of(self._inbox.failure_path(name)) > self.plan.patience

    def _may_get_work(self, idle: float) -> bool:
        """Tell whether others hold blocks that may be left to this one yet."""
        held = self.claims.unfinished(self._names())
        hopeful = any(not is_given_up(self._inbox.read_failures(name)) for name in held)
        return hopeful and idle < 1.2 * self.plan.patience

    def _work_on(self, claim: Claim) -> None:
        """Train what a block lacks, and tell what became of it."""
        self.heartbeat.hold(claim)
        try:
            if block := self._plan_folder.load_block(claim.block):
                self._train(block)
            self.heartbeat.finish()
            self._failures = 0
        except _Over:
            self.heartbeat.release()
        except StoreError:
            self.heartbeat.release()
            raise
        except (Exception, SystemExit) as error:  # a person's own code may end the program
            self._fail(claim, error)
            if isinstance(error, DataError):
                raise

    def _fail(self, claim: Claim, error: Exception | SystemExit) -> None:
        kind, message = type(error).__name__, str(error)
        if not isinstance(error, FashionbenchError):
            traceback.print_exc()
            block = self._plan_folder.load_block(claim.block)
            model = block.jobs[0].model if block else claim.block
            kind, message = "FashionbenchError", f"{model} failed: {kind}: {message}"
        host = self.claims.holder.host
        self._inbox.fail(claim.block, Failure(host, self.place, kind, message))
        self.heartbeat.release()
        if self.is_local or kind != "UsageError":  # which is no fault of the place
            self._failures += 1

    def _train(self, block: Block) -> None:
        here = self._inbox.names()
        missing = [
            job for job in block.jobs if here.isdisjoint(run_file_names(job.key, self.plan.device))
        ]
        if not missing:
            return
        self._begin_or_leave(block.seconds or 0.0)
        dataset = self._load(missing[0])
        refuse_changed(missing[0], len(dataset.classes))  # before anything of it is built
        left, last = len(missing), time.monotonic()

        def note(finished: int) -> None:
            nonlocal left, last
            left, self.runs = left - finished, self.runs + finished
            self._seconds = max(self._seconds, time.monotonic() - last)
            last = time.monotonic()
            if left:
                self._begin_or_leave(self._seconds)

        run_block(
            missing,
            self._choose(missing, dataset),
            dataset,
            self._device,
            self._inbox,
            Examination(**block.examined),
            alone=self.timed,
            done=note,
        )

    def _begin_or_leave(self, seconds: float) -> None:
        """Raise _Over where no further run should be begun."""
        if self.heartbeat.time_left() < HURRY * seconds:
            self._is_over = True
        if self._is_over or self.heartbeat.is_lost:
            raise _Over

    def _load(self, job: Job) -> Dataset:
        """Read a data set once, deal it once for each split, and see that it is the plan's."""
        name = data_name(job)
        if name not in self._dealt:
            dataset = deal_anew(self._read(job), job.split)
            refuse_other_data(self.plan, name, dataset)
            self._dealt = {name: dataset.to(self._device)}  # the one before is let go
        return self._dealt[name]

    def _read(self, job: Job) -> Dataset:
        if job.test_set not in self._data:
            place = self.plan.data_dir
            if place is not None and not Path(place).is_dir() and not self.is_local:
                place = None  # another machine may have it elsewhere: it is verified in any case
            self._data[job.test_set] = load_data_of(job, place)
        return self._data[job.test_set]

    def _choose(self, jobs: Sequence[Job], dataset: Dataset) -> Choice:
        """Choose how the jobs are trained: as a comparison here would, but for dropout.

        Where a group draws for all its members together, a seed would end otherwise in another
        block; there one run follows the other.
        """
        if self.timed:
            return Choice("serial", "they are timed")
        first = jobs[0]
        if self.plan.parallel in ("serial", "processes"):
            return Choice("serial", "one run after another was asked for")
        differing = differing_settings([job.recipe for job in jobs])
        kind = f"{first.model_copy(update={'seed': 0}).key} {differing}"
        if kind not in self._choices:
            build, train = builder(first, dataset), dataset.train
            execution = Execution(parallel=self.plan.parallel, jobs=1)
            choice = choose(build, first, train, execution, len(jobs), differing=differing)
            if choice.strategy != "serial" and draws_in_training(build, train, first.recipe):
                choice = Choice("serial", "a group would draw for all its members together")
            logger.info("%s: %s: %s", first.model, choice.strategy, choice.why)
            self._choices[kind] = choice
        return self._choices[kind]
