"""The inbox: finished runs on their way from workers to the store, and what went wrong.

A worker writes the weights, then a file for the run; one process takes both in. The weights' digest
is in that file, so that a run is never kept with the weights of another. Brings no torch.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fashionbench.core.files import list_folder, write_atomically
from fashionbench.errors import StoreError
from fashionbench.store.packed import PackedRun, RunFile, WeightsFile
from fashionbench.store.records import RunRecord
from fashionbench.store.run_store import RunStore

__all__ = ["Failure", "Inbox", "Intake", "is_given_up", "take_in", "take_in_if_idle"]

logger = logging.getLogger(__name__)

AT_ONCE = 100
"""Runs that become one transaction of the store: so many are in memory at a time."""
MOST_TRIALS = 2
"""A block that failed so often is given up."""
FAILED, REFUSED = ".failed", ".refused"


@dataclass(frozen=True)
class Failure:
    """What went wrong with a block, and where."""

    host: str
    place: str
    """The host, or one process of it where all workers are on one."""
    kind: str
    """The class of the error."""
    message: str


def is_given_up(failures: Sequence[Failure]) -> bool:
    """Tell whether a block is not tried again: what was asked is at fault, not the place."""
    return len(failures) >= MOST_TRIALS or any(each.kind == "UsageError" for each in failures)


class Inbox:
    """Where a worker puts finished runs, as a store that it only writes to."""

    def __init__(self, run_folder: Path) -> None:
        self.folder = run_folder / "inbox"
        self.canary = ""
        """How the canary ended on this machine."""

    def save_run(self, record: RunRecord) -> None:
        """Write the file of a run whose weights are written. Raises StoreError."""
        where = replace(record.environment, canary=self.canary)
        record = replace(record, environment=where)
        from fashionbench.models.checkpoint import checkpoint_path  # which a report must not bring

        path = checkpoint_path(self.folder, record.job, record.device)
        weights = WeightsFile(path.name, _digest(path)) if path.is_file() else None
        RunFile(PackedRun.pack(record), weights).write(self.folder)

    def names(self) -> set[str]:
        """List the runs that are here."""
        return {path.name for path in list_folder(self.folder) if path.suffix == ".run"}

    def failed(self) -> set[str]:
        """List the blocks that failed."""
        return {path.stem for path in list_folder(self.folder) if path.suffix == FAILED}

    def failure_path(self, block: str) -> Path:
        """Return the path of what is told of a block that failed."""
        return self.folder / f"{block}{FAILED}"

    def fail(self, block: str, failure: Failure) -> None:
        """Tell that a block failed."""
        failures = [*self.read_failures(block), failure]
        content = json.dumps([asdict(each) for each in failures], indent=2).encode()
        write_atomically(self.failure_path(block), content)

    def read_failures(self, block: str) -> list[Failure]:
        """Read what went wrong with a block so far."""
        try:
            return [Failure(**each) for each in json.loads(self.failure_path(block).read_bytes())]
        except (OSError, ValueError, TypeError):
            return []

    def forget_failures(self, block: str) -> None:
        """Forget them: the block is as new."""
        self.failure_path(block).unlink(missing_ok=True)


class Intake:
    """Takes the inbox of a run folder into its store: the only one that writes there."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.folder = store.folder / "inbox"
        self.known = {f"{key}-{device}.run" for key, device in store.list_runs()}
        """The names of all runs that the store holds."""
        self._told: set[str] = set()

    def take(self) -> tuple[list[str], list[str]]:
        """Take in what has come; return the names of runs that are new, and of those refused.

        A file that is no whole run is told, and set aside under another name.
        """
        runs = filter(self._is_run, list_folder(self.folder))
        waiting = sorted(path for path in runs if path.name not in self.known)
        taken, refused = list[str](), list[str]()
        for first in range(0, len(waiting), AT_ONCE):
            files = list[RunFile]()
            for path in waiting[first : first + AT_ONCE]:
                try:
                    files.append(self._read(path))
                except FileNotFoundError:
                    continue
                except StoreError as error:
                    refused.append(path.name)
                    self._set_aside(path, error)
            self.store.save_packed(file.run for file in files)
            taken += [file.name for file in files]
            self.known |= {file.name for file in files}
        return taken, refused

    def _is_run(self, path: Path) -> bool:
        """Tell whether a file may be a run; tell once of what nobody here has put there."""
        if path.suffix == ".run":
            return True
        ours = path.name.startswith(".") or path.suffix in (FAILED, REFUSED) or path.is_dir()
        if not ours and path.name not in self._told:
            self._told.add(path.name)
            logger.warning("%s is no file of fashionbench's; it is left where it is.", path)
        return False

    def _read(self, path: Path) -> RunFile:
        """Read a run's file, and move its weights to where they are kept."""
        file = RunFile.read(path)
        if file.weights is not None and not self._keep_weights(file.weights):
            raise StoreError(f"The weights of {path} are absent, or of another training")
        return file

    def _keep_weights(self, weights: WeightsFile) -> bool:
        """Move weights into the folder of the checkpoints; return whether they are the right ones.

        They are there already where this was interrupted before the run was saved.
        """
        kept = self.store.folder / "checkpoints" / Path(weights.name).name
        came = self.folder / "checkpoints" / kept.name
        if came.is_file() and _digest(came) == weights.digest:
            kept.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                came.with_suffix(".json").replace(kept.with_suffix(".json"))
            came.replace(kept)
            return True
        return kept.is_file() and _digest(kept) == weights.digest

    def _set_aside(self, path: Path, error: StoreError) -> None:
        aside = path.with_suffix(REFUSED)
        path.replace(aside)
        logger.warning("%s; it is kept as %s, and the run is trained again.", error, aside.name)

    def discard(self, names: Iterable[str]) -> None:
        """Remove files of runs that the store holds."""
        for name in names:
            if name in self.known:
                (self.folder / name).unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def take_in(store: RunStore) -> None:
    """Take in what has come to a run folder since the last command, if anything has."""
    if (store.folder / "inbox").is_dir():
        Intake(store).take()


def take_in_if_idle(run_folder: Path) -> None:
    """Take in what has come to a run folder, unless a command is at work there, which does so."""
    inbox = Inbox(run_folder)
    if not inbox.names():
        return
    from filelock import FileLock, Timeout

    with suppress(Timeout), FileLock(run_folder / ".lock", blocking=False):
        take_in(RunStore(run_folder))
