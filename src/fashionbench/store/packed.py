"""A run as bytes: as the store's row has it, and as a file that comes from another process.

A file says in its first line what it is and has the digest of its content there, so that half a
file, or a foreign one, is never taken for a run.
"""

import hashlib
import json
import re
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import TypeAdapter, ValidationError

from fashionbench.config.study import DEVICES
from fashionbench.core.files import write_atomically
from fashionbench.errors import StoreError
from fashionbench.store.records import RunRecord

__all__ = ["PackedRun", "RunFile", "WeightsFile", "run_file_name", "run_file_names"]

_RECORD = TypeAdapter(RunRecord)
"""Checks a record that is read and writes it as JSON, all but its arrays."""

FORMAT = 1
"""Of a run's file; one with a higher number was written by a newer fashionbench."""
_TITLE = "fashionbench run"


@dataclass(frozen=True)
class PackedRun:
    """A run as the store's row has it."""

    key: str
    device: str
    record: str
    """JSON, without the arrays."""
    predicted: bytes
    losses: bytes
    """Both compressed by zlib."""

    @classmethod
    def pack(cls, record: RunRecord) -> Self:
        """Pack a record."""
        facts = _RECORD.dump_python(record, mode="json", exclude={"predicted", "losses"})
        return cls(
            record.job.key,
            record.device,
            json.dumps(facts),
            zlib.compress(record.predicted.tobytes()),
            zlib.compress(record.losses.astype("<f4").tobytes()),
        )

    def unpack(self) -> RunRecord:
        """Return the record. Raises ValueError or zlib.error for what is none."""
        arrays = {
            "predicted": np.frombuffer(zlib.decompress(self.predicted), np.uint8),
            "losses": np.frombuffer(zlib.decompress(self.losses), "<f4"),
        }
        return _RECORD.validate_python(json.loads(self.record) | arrays)


@dataclass(frozen=True)
class WeightsFile:
    """The trained weights that belong to a run."""

    name: str
    """Of the file in the folder of the checkpoints."""
    digest: str


@dataclass(frozen=True)
class RunFile:
    """One run on its way from the process that trained it to the store."""

    run: PackedRun
    weights: WeightsFile | None
    """None where no weights are kept."""

    @property
    def name(self) -> str:
        """The file's name, which is the same for a run that is trained twice."""
        return run_file_name(self.run.key, self.run.device)

    def write(self, folder: Path) -> None:
        """Write the file into a folder, whole or not at all. Raises StoreError."""
        run = self.run
        parts = run.record.encode(), run.predicted, run.losses
        about = {
            "key": run.key,
            "device": run.device,
            "weights": self.weights and asdict(self.weights),
            "sizes": [len(part) for part in parts],
        }
        content = b"".join([json.dumps(about).encode(), b"\n", *parts])
        title = f"{_TITLE} {FORMAT} {hashlib.sha256(content).hexdigest()}\n"
        write_atomically(folder / self.name, title.encode() + content)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Raises StoreError, in a sentence, for what is no whole run."""
        title, _, content = path.read_bytes().partition(b"\n")
        found = re.fullmatch(rf"{_TITLE} ([0-9]+)(?: (.*))?", title.decode("ascii", "replace"))
        if found is None:
            raise StoreError(f"{path} is not a run of fashionbench's")
        version, digest = found.groups()
        if int(version) > FORMAT:
            raise StoreError(
                f"{path} was written by a newer fashionbench (format {version}, this one reads up "
                f"to {FORMAT})"
            )
        if hashlib.sha256(content).hexdigest() != digest:
            raise StoreError(f"{path} is only a part of a run, or damaged")
        try:
            return cls._parse(path, *content.split(b"\n", 1))
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise StoreError(f"{path} holds no run that this fashionbench knows: {error}") from None

    @classmethod
    def _parse(cls, path: Path, about: bytes, body: bytes) -> Self:
        facts: dict[str, Any] = json.loads(about)
        record, predicted, losses = _cut(body, facts["sizes"])
        run = PackedRun(facts["key"], facts["device"], record.decode(), predicted, losses)
        try:
            found = run.unpack()
        except ValidationError as error:
            problem = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
        weights = facts["weights"]
        file = cls(run, WeightsFile(**weights) if weights else None)
        if (found.job.key, found.device, path.name) != (run.key, run.device, file.name):
            raise ValueError("its name and what it holds do not agree")
        return file


def _cut(body: bytes, sizes: list[int]) -> tuple[bytes, bytes, bytes]:
    first, second, third = sizes
    if len(body) != first + second + third:
        raise ValueError("its parts have other sizes than it says")
    return body[:first], body[first : first + second], body[first + second :]


def run_file_name(key: str, device: str) -> str:
    """Return the name of the file of a job's run on a device."""
    return f"{key}-{device}.run"


def run_file_names(key: str, device: str) -> list[str]:
    """Return the names that the file of a job's run may have where `auto` is any device."""
    devices = [each for each in DEVICES if each != "auto"] if device == "auto" else [device]
    return [run_file_name(key, each) for each in devices]
