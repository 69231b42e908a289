"""The run folder: a SQLite store of finished runs, and beside it the trained weights.

One transaction per run, at its end: a kill at any moment loses at most the runs
in flight. The store also keeps the test images once, so that a report can be
drawn from the folder alone.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError, model_validator

from fashionbench.config.study import Job, Study
from fashionbench.core.files import make_folder
from fashionbench.errors import StoreError
from fashionbench.store.packed import PackedRun
from fashionbench.store.records import RunRecord, TestSet

__all__ = ["RunStore"]


FORMAT = 1
"""Of the store's tables; a store with a higher number was written by a newer fashionbench."""

_TABLES = """
CREATE TABLE runs (key TEXT, device TEXT, record TEXT NOT NULL,
                   predicted BLOB NOT NULL, losses BLOB NOT NULL, PRIMARY KEY (key, device));
CREATE TABLE test_sets (name TEXT PRIMARY KEY, title TEXT NOT NULL, classes TEXT NOT NULL,
                        images BLOB NOT NULL, labels BLOB NOT NULL);
CREATE TABLE study (only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
                    study TEXT NOT NULL, command TEXT NOT NULL);
"""


class _AboutImages(BaseModel):
    """What a table's row says of its test images in JSON."""

    classes: tuple[str, ...]
    shape: tuple[int, ...]

    @model_validator(mode="before")
    @classmethod
    def _read_old_row(cls, content: Any) -> Any:
        """Read the row of an older store: one list of the classes and then the shape."""
        if isinstance(content, list) and content:
            return {"classes": content[:-1], "shape": content[-1]}
        return content


class RunStore:
    """The store of one run folder. Raises StoreError, in a sentence, for whatever is wrong."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        self.path = folder / "store.sqlite"
        if create:
            make_folder(folder)
        elif not self.path.is_file():
            raise StoreError(
                f"{folder} holds no runs (there is no {self.path.name} in it); "
                "name a folder that `fashionbench compare` wrote."
            )
        self._check_format(create)

    def _check_format(self, create: bool) -> None:
        with self._transaction(write=create) as database:
            found = database.execute("PRAGMA user_version").fetchone()[0]
            tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if found > FORMAT:
                raise StoreError(
                    f"{self.path} was written by a newer fashionbench (format {found}, this one "
                    f"reads up to {FORMAT}); update fashionbench or choose another --out."
                )
            if found == FORMAT:
                return
            if tables or not create:
                raise StoreError(
                    f"{self.path} is a database, but not one of fashionbench's; "
                    "choose another folder."
                )
            for statement in _TABLES.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {FORMAT}")

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """All or nothing, opened anew each time: no handle outlives a fork or a crash."""
        try:
            database = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            try:
                database.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield database
                database.execute("COMMIT")
            finally:
                database.close()  # rolls back whatever was not committed
        except sqlite3.DatabaseError as error:
            raise StoreError(_explain(self.path, error)) from None

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        try:
            yield
        except ValidationError as error:
            raise StoreError(_explain_refusal(self.path, error)) from None
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise StoreError(_explain_damage(self.path, str(error))) from None

    def save_run(self, record: RunRecord) -> None:
        """Save one finished run, in one transaction."""
        self.save_packed([PackedRun.pack(record)])

    def save_packed(self, runs: Iterable[PackedRun]) -> None:
        """Save finished runs that are packed already, all in one transaction."""
        rows = [(run.key, run.device, run.record, run.predicted, run.losses) for run in runs]
        with self._transaction(write=True) as database:
            database.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", rows)

    def packed_runs(self) -> Iterator[PackedRun]:
        """Yield all finished runs as they are stored, whatever comparison they were made for."""
        for key, device in sorted(self.list_runs()):
            with self._transaction() as database:
                row = database.execute(
                    "SELECT key, device, record, predicted, losses FROM runs "
                    "WHERE key = ? AND device = ?",
                    (key, device),
                ).fetchone()
            if row is not None:
                yield PackedRun(*row)

    def list_runs(self) -> set[tuple[str, str]]:
        """List the finished runs, each as its job's key and its device."""
        with self._transaction() as database:
            return set(database.execute("SELECT key, device FROM runs"))

    def has_run(self, job: Job, device: str = "auto") -> bool:
        """Tell whether `load_run` would find a run, without reading it."""
        with self._transaction() as database:
            found = database.execute(
                "SELECT 1 FROM runs WHERE key = ? AND (device = ? OR ? = 'auto')",
                (job.key, device, device),
            ).fetchone()
        return found is not None

    def load_run(self, job: Job, device: str = "auto") -> RunRecord | None:
        """Load the finished run of `job`, on `device` or (auto) any; None if there is none."""
        with self._transaction() as database:
            row = database.execute(
                "SELECT key, device, record, predicted, losses FROM runs WHERE key = ? "
                "AND (device = ? OR ? = 'auto') ORDER BY device DESC LIMIT 1",
                (job.key, device, device),
            ).fetchone()
        if row is None:
            return None
        with self._decoding():
            return PackedRun(*row).unpack()

    def save_study(self, study: Study, command: str) -> None:
        """Save the last comparison that was asked for, so that its report can be written again."""
        with self._transaction(write=True) as database:
            database.execute(
                "INSERT OR REPLACE INTO study VALUES (1, ?, ?)", (study.model_dump_json(), command)
            )

    def load_study(self) -> tuple[Study, str]:
        """Load the last comparison asked of this folder, and the command that asks it again."""
        with self._transaction() as database:
            row = database.execute("SELECT study, command FROM study").fetchone()
        if row is None:
            raise StoreError(f"{self.folder} holds no comparison yet; run `fashionbench compare`.")
        with self._decoding():
            return Study.model_validate(json.loads(row[0])), row[1]

    def save_test_set(self, test_set: TestSet) -> None:
        """Save the test images, once per data set."""
        about = _AboutImages(classes=test_set.classes, shape=test_set.images.shape)
        row = (
            test_set.name,
            test_set.title,
            about.model_dump_json(),
            zlib.compress(test_set.images.tobytes()),
            zlib.compress(test_set.labels.astype(np.uint8).tobytes()),
        )
        with self._transaction(write=True) as database:
            database.execute("INSERT OR REPLACE INTO test_sets VALUES (?, ?, ?, ?, ?)", row)

    def load_test_set(self, name: str) -> TestSet | None:
        """Load the test images of a data set; None before its first run."""
        with self._transaction() as database:
            row = database.execute("SELECT * FROM test_sets WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        with self._decoding():
            about = _AboutImages.model_validate_json(row[2])
            images = np.frombuffer(zlib.decompress(row[3]), np.uint8).reshape(about.shape)
            labels = np.frombuffer(zlib.decompress(row[4]), np.uint8)
            return TestSet(row[0], row[1], about.classes, images, labels)


def _explain(path: Path, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return (
            f"{path} cannot be written ({error}): the disk is probably full. Finished runs are "
            "kept; free some space and give the same command again."
        )
    if code is not None and code & 0xFF == sqlite3.SQLITE_BUSY:
        return (
            f"{path} is in use ({error}); wait until the other command has ended, and give this "
            "one again."
        )
    if code is not None and code & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        return f"{path} cannot be used ({error}); make it writable or choose another --out."
    return _explain_damage(path, str(error))


def _explain_refusal(path: Path, error: ValidationError) -> str:
    problem = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    setting = ".".join(map(str, problem["loc"])).removeprefix("job.")
    if problem["type"] == "extra_forbidden":
        return (
            f"{path} was written by another version of fashionbench (this one has no setting "
            f"{setting!r}); update fashionbench or choose another --out."
        )
    return _explain_damage(path, f"{setting}: {problem['msg']}")


def _explain_damage(path: Path, reason: str) -> str:
    return (
        f"{path} is damaged ({reason}); move it away and give the command again, "
        "or put back a copy of it."
    )
