"""Claims: which worker trains which block. Files, made exclusively; their age is the heartbeat.

`BLOCK.3` is the third claim to a block, after two whose workers were not heard of for long;
`BLOCK.done` says that all its runs are in the inbox. Only times that the file server wrote are
compared, each with another: the clock of a machine may be wrong by hours.
"""

import json
import os
import platform
import random
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fashionbench.core.files import list_folder
from fashionbench.errors import StoreError

__all__ = ["Claim", "Claims", "Holder"]

DONE = "done"
MOST_CLAIMS = 5
"""A block whose workers died so often without a word is not tried again."""


@dataclass(frozen=True)
class Holder:
    """Who holds a claim."""

    host: str
    pid: int
    job: str = ""
    """The number that the cluster's scheduler gave, where there is one."""

    @property
    def is_gone(self) -> bool:
        """Whether it was a process of this machine that is no more; False where nobody knows."""
        if self.host != platform.node() or os.name != "posix":
            return False
        try:
            os.kill(self.pid, 0)  # nothing is sent, but it is looked up
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


@dataclass(frozen=True)
class Claim:
    """A block that is this worker's, until it is released, done or not heard of for long."""

    block: str
    number: int
    path: Path

    def beat(self) -> bool:
        """Say that the worker is alive; return whether the block is still its own."""
        try:
            os.utime(self.path)
        except FileNotFoundError:
            return False
        except OSError:  # the file server is away for a while, and the claim is still there
            return True
        return not self.path.with_name(f"{self.block}.{self.number + 1}").exists()

    def release(self) -> None:
        """Leave the block to others."""
        self.path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Tell that all runs of the block are in the inbox. Raises StoreError."""
        done = self.path.with_name(f"{self.block}.{DONE}")
        try:
            done.touch()
        except OSError as error:
            raise _unwritable(done, error) from None
        self.release()


class Claims:
    """The claims in a run folder, as one worker or the driver sees them."""

    def __init__(self, run_folder: Path, patience: float, holder: Holder) -> None:
        self.folder = run_folder / "claims"
        self.patience = patience
        self.holder = holder
        self._clock = self.folder / f".{holder.host}-{holder.pid}"

    def take(self, blocks: Iterable[str]) -> Claim | None:
        """Claim one of the blocks: one that nobody holds, else one whose holder is silent.

        None where all are done or in good hands. Which one is a matter of luck, so that many who
        ask at once seldom want the same.
        """
        held, done = self._read()
        wanted = [block for block in blocks if block not in done]
        random.shuffle(wanted)
        wanted.sort(key=lambda block: block in held)
        now = self.now() if any(block in held for block in wanted) else 0.0
        for block in wanted:
            last = max(held.get(block, [0]))
            if last >= MOST_CLAIMS or (last and not self._is_silent(block, last, now)):
                continue
            if claim := self._claim(block, last + 1):
                return claim
        return None

    def unfinished(self, blocks: Iterable[str]) -> list[str]:
        """List those of the blocks that are not done."""
        _, done = self._read()
        return [block for block in blocks if block not in done]

    def exhausted(self, blocks: Iterable[str]) -> list[str]:
        """List those of the blocks whose workers died too often."""
        held, _ = self._read()
        worn = [block for block in blocks if max(held.get(block, [0])) >= MOST_CLAIMS]
        now = self.now() if worn else 0.0
        return [block for block in worn if self._is_silent(block, max(held[block]), now)]

    def forget(self, block: str) -> None:
        """Remove all claims to a block, and what says that it is done."""
        for path in self.folder.glob(f"{block}.*"):
            path.unlink(missing_ok=True)

    def reopen(self, block: str) -> None:
        """Take back that a block is done."""
        (self.folder / f"{block}.{DONE}").unlink(missing_ok=True)

    def release_of(self, gone: Iterable[Holder]) -> None:
        """Release what processes hold that are known to be gone."""
        lost = set(gone)
        for block, numbers in self._read()[0].items():
            path = self.folder / f"{block}.{max(numbers)}"
            if (holder := _read_holder(path)) and (holder in lost or holder.is_gone):
                path.unlink(missing_ok=True)

    def age_of(self, path: Path) -> float:
        """Return the seconds since a file was written, by the file server's clock alone."""
        return self.now() - path.stat().st_mtime

    def now(self) -> float:
        """Return the file server's time: that of a file which it has just touched."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clock.touch()
        os.utime(self._clock)
        return self._clock.stat().st_mtime

    def close(self) -> None:
        """Leave no trace but the claims."""
        self._clock.unlink(missing_ok=True)

    def _read(self) -> tuple[dict[str, list[int]], set[str]]:
        """Return the numbers of all claims by block, and the blocks that are done."""
        held, done = defaultdict[str, list[int]](list), set[str]()
        for path in list_folder(self.folder):
            block, _, end = path.name.rpartition(".")
            if end == DONE:
                done.add(block)
            elif end.isdigit():
                held[block].append(int(end))
        return held, done

    def _claim(self, block: str, number: int) -> Claim | None:
        """Make a claim, if nobody else has just made it."""
        path = self.folder / f"{block}.{number}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                json.dump(asdict(self.holder), file)
        except FileExistsError:
            return None
        except OSError as error:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise _unwritable(path, error) from None
        return Claim(block, number, path)

    def _is_silent(self, block: str, number: int, now: float) -> bool:
        """Tell whether a claim has had no heartbeat for longer than the patience."""
        try:
            heard = (self.folder / f"{block}.{number}").stat().st_mtime
        except FileNotFoundError:  # released just now
            return True
        return now - heard > self.patience


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path} cannot be written ({error.strerror}). What is finished is kept; free some space "
        "or make the folder writable, and start workers again."
    )


def _read_holder(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # gone, or being written
        return None
