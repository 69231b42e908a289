"""The driver: it writes the plan, has workers started, and takes in what they have trained.

It may die at any moment: whoever gives the same command again finds the plan, the claims and the
inbox as they are, and goes on.
"""

import logging
import os
import platform
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from fashionbench import errors
from fashionbench.config.study import Job
from fashionbench.core.files import remove_if_empty
from fashionbench.errors import FashionbenchError
from fashionbench.experiments.cluster.claims import MOST_CLAIMS, Claims, Holder
from fashionbench.experiments.cluster.inbox import Failure, Inbox, Intake, is_given_up
from fashionbench.experiments.cluster.plan import Block, Plan, PlanFolder
from fashionbench.store.packed import run_file_names
from fashionbench.store.run_store import RunStore

__all__ = ["Driver", "Launcher"]

logger = logging.getLogger(__name__)


class Launcher(Protocol):
    """What starts workers, and nothing more."""

    poll: float
    """Seconds between two looks into the inbox."""

    def start(self) -> None:
        """Start workers."""

    def look_after(self, *, progressed: bool) -> list[Holder]:
        """Start new ones for those that have ended; return which are known to be gone."""

    def stop(self, *, finished: bool) -> None:
        """End the workers where nothing is left, or where they should not outlive this process."""


class Driver:
    """The one process that opens the store while others train what a plan says."""

    def __init__(self, store: RunStore, plan: Plan) -> None:
        self.plan = plan
        self.intake = Intake(store)
        self.inbox, self.folder = Inbox(store.folder), PlanFolder(store.folder)
        self.claims = Claims(store.folder, plan.patience, Holder(platform.node(), os.getpid()))
        self._open: dict[str, set[str]] = {}
        """Of each block that is not finished: the keys of the jobs that it lacks."""
        self._block_of: dict[str, str] = {}
        """The block of each of these keys."""
        self._files: dict[str, list[str]] = {}
        """Of each block that is not finished: the names that files of its runs may have."""
        self._told: set[str] = set()
        """The blocks whose first failure was told."""
        self._lost: dict[str, FashionbenchError] = {}

    def keep(self, wanted: Iterable[Job]) -> dict[str, bool]:
        """Keep the blocks of before in which every job is wanted.

        Returns the keys of their jobs, and whether these are timed. The other blocks are removed;
        what their workers are at is taken in all the same.
        """
        keys, kept = {job.key for job in wanted}, dict[str, bool]()
        for timed in (True, False):
            for name in self.folder.names(timed=timed):
                block = self.folder.load_block(name)
                if block and keys.issuperset(found := [job.key for job in block.jobs]):
                    self._watch(block)
                    kept |= dict.fromkeys(found, timed)
                else:
                    self._remove(name)
        return kept

    def add(self, blocks: Iterable[Block], *, timed: bool = False) -> None:
        """Write the plan and blocks of jobs that are in none yet."""
        self.folder.write(self.plan)
        for block in blocks:
            self.inbox.forget_failures(block.name)
            self.claims.forget(block.name)
            self.folder.add(block, timed=timed)
            self._watch(block)

    def _watch(self, block: Block) -> None:
        missing = {job.key for job in block.jobs if not self._has(job.key)}
        self._open[block.name] = missing
        self._files[block.name] = [name for job in block.jobs for name in self._names(job.key)]
        self._block_of |= dict.fromkeys(missing, block.name)
        if not missing:
            self._close(block.name)

    def _has(self, key: str) -> bool:
        return not self.intake.known.isdisjoint(self._names(key))

    def _names(self, key: str) -> list[str]:
        return run_file_names(key, self.plan.device)

    def run(
        self, launcher: Launcher, done: Callable[[int], object]
    ) -> dict[str, FashionbenchError]:
        """Have the blocks trained; `done` is told of every number of runs that have come.

        Returns what blocks failed of, by the keys of the jobs they lack, when all else is done.
        """
        self.claims.release_of(())
        try:
            launcher.start()
            while self._open:
                progressed = self._look(done)
                if self._open and (gone := launcher.look_after(progressed=progressed)):
                    self.claims.release_of(gone)
                if self._open and not progressed:
                    time.sleep(launcher.poll)
        finally:
            launcher.stop(finished=not self._open)
            self.claims.close()
            self._look(done)  # what has come since is kept
        self._tidy()
        return self._lost

    def _look(self, done: Callable[[int], object]) -> bool:
        """Take in what has come, and return whether anything has."""
        taken, refused = self.intake.take()
        keys = [name.partition("-")[0] for name in taken]
        wanted = [key for key in keys if key in self._block_of]
        for key in wanted:
            block = self._block_of.pop(key)
            self._open[block].discard(key)
            if not self._open[block]:
                self._close(block)
        done(len(wanted))
        for name in refused:
            if lacking := self._block_of.get(name.partition("-")[0]):
                self.claims.reopen(lacking)
        self._look_for_failures()
        return bool(taken)

    def _look_for_failures(self) -> None:
        for block in self.inbox.failed() & self._open.keys():
            failures = self.inbox.read_failures(block)
            if is_given_up(failures):
                self._lose(block, failures[-1])
            elif failures and block not in self._told:
                self._told.add(block)
                logger.info("%s It is tried once more elsewhere.", self._explain(failures[0]))
        for block in self.claims.exhausted(self._open):
            message = (
                f"{MOST_CLAIMS} workers in a row ended without a word while they trained {block}: "
                "they had too little memory or time."
            )
            self._lose(block, Failure("", "", "FashionbenchError", message))

    def _lose(self, block: str, failure: Failure) -> None:
        """Give a block up; the others go on."""
        for key in self._open.pop(block):
            self._lost[key] = self._explain(failure)
            del self._block_of[key]
        self.folder.remove(block)
        self.claims.forget(block)

    def _explain(self, failure: Failure) -> FashionbenchError:
        kind: type[FashionbenchError] = getattr(errors, failure.kind)
        if self.plan.on and failure.host:
            return kind(f"{failure.message.removesuffix('.')} (on {failure.host}).")
        return kind(failure.message)

    def _close(self, block: str) -> None:
        """Remove a block that is finished and all that is about it."""
        del self._open[block]
        self._remove(block)
        self.intake.discard(self._files.pop(block))

    def _remove(self, block: str) -> None:
        self.folder.remove(block)
        self.inbox.forget_failures(block)
        self.claims.forget(block)

    def _tidy(self) -> None:
        """Leave no trace of others' work, where all of them have ended."""
        self.intake.discard(self.inbox.names())
        if not self.plan.on:
            self.folder.clear()
        if self.plan.on.partition(":")[0] in ("", "workers"):
            inbox = self.inbox.folder
            self.folder.tidy()
            for folder in (self.claims.folder, inbox / "checkpoints", inbox):
                remove_if_empty(folder)
