"""The plan: what is to be trained, in blocks, and the conditions that make all numbers comparable.

Written by the driver and read by workers, before torch is imported. A plan says with what code,
data, torch and number of threads its runs are trained; a worker that differs is refused.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import Field, ValidationError

from fashionbench.config.execution import Parallel
from fashionbench.config.study import PROTOCOL, Device, Job
from fashionbench.config.validated import Validated, describe_refusal
from fashionbench.core.files import list_folder, remove_if_empty, slug, write_atomically
from fashionbench.errors import StoreError

__all__ = ["Block", "Plan", "PlanFolder", "data_name", "split_evenly"]

T = TypeVar("T", bound=Validated)

FORMAT = 1
"""Of plans and blocks; one with a higher number was written by a newer fashionbench."""
PATIENCE = 300.0
"""Seconds without a heartbeat after which a claim may be taken again."""
_LONGEST_LABEL = 60


class Plan(Validated):
    """What all blocks of a run folder share."""

    format: int = FORMAT
    protocol: int = PROTOCOL
    code: str
    """A digest of this program's files."""
    torch: str
    """The version."""
    data: dict[str, str]
    """Digests of the images and labels that are trained on, by `data_name`."""
    threads: int = Field(ge=1)
    """Of torch on the CPU, for every run."""
    device: Device = "auto"
    parallel: Parallel = "auto"
    data_dir: str | None = None
    folder: str
    """The working folder, from which the paths of own models, recipes and data are meant."""
    path: tuple[str, ...] = ()
    """Where modules are imported from."""
    on: str = ""
    """What starts workers, as it was asked for; empty for processes of a comparison here."""
    command: str = ""
    """What a person types to have all of it."""
    patience: float = PATIENCE

    @property
    def conditions(self) -> Self:
        """The plan without what may change while workers are at work."""
        return self.model_copy(update={"on": "", "command": ""})


def data_name(job: Job) -> str:
    """Return what a plan calls the images of a job: those of another split are others."""
    return f"{job.test_set} split {job.split}" if job.split else job.test_set


class Block(Validated):
    """Jobs that may train together: one worker takes them all."""

    format: int = FORMAT
    jobs: tuple[Job, ...] = Field(min_length=1)
    examined: dict[str, Any] = Field(default_factory=dict)
    """What is known of the model: an `Examination` as plain data."""
    seconds: float | None = None
    """What one run is expected to take where it was tried; None where it was not."""

    @cached_property
    def name(self) -> str:
        """Return what it is called: the same for the same jobs."""
        first = self.jobs[0]
        digest = hashlib.sha256(" ".join(job.key for job in self.jobs).encode()).hexdigest()
        label = slug(f"{first.model}-{first.recipe.label}").replace(".", "-")
        return f"{label[-_LONGEST_LABEL:]}-{digest[:10]}"


class PlanFolder:
    """The plan and its blocks on disk."""

    def __init__(self, run_folder: Path) -> None:
        self.path = run_folder / "plan" / "plan.json"
        self.blocks = run_folder / "plan" / "blocks"
        self.timed = run_folder / "plan" / "timed"
        """Blocks of runs that are timed, by a worker that has its machine to itself."""

    def write(self, plan: Plan) -> None:
        """Write the plan, where it is another than before."""
        content = plan.model_dump_json(indent=2).encode()
        if not self.path.is_file() or self.path.read_bytes() != content:
            write_atomically(self.path, content)

    def load(self) -> Plan:
        """Load the plan. Raises StoreError where there is none or it is no plan."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"There is no plan in {self.path.parent.parent} ({error.strerror}); name the run "
                "folder of a comparison that was started with --on."
            ) from None
        return _parse(Plan, self.path, content)

    def names(self, *, timed: bool | None = None) -> list[str]:
        """List the blocks that are not finished: those that are timed, the others, or all."""
        folders = {True: [self.timed], False: [self.blocks], None: [self.timed, self.blocks]}
        found = [path for folder in folders[timed] for path in list_folder(folder)]
        return sorted(path.stem for path in found if path.suffix == ".json")

    def add(self, block: Block, *, timed: bool = False) -> None:
        """Write a block."""
        # Whatever is left out is read as the reader's own default: never the format.
        fields = block.model_dump(mode="json", exclude_defaults=True) | {"format": block.format}
        content = json.dumps(fields).encode()
        write_atomically((self.timed if timed else self.blocks) / f"{block.name}.json", content)

    def stop_timing(self) -> None:
        """Leave to all workers what was to be timed."""
        for name in self.names(timed=True):
            self.blocks.mkdir(exist_ok=True)
            (self.timed / f"{name}.json").replace(self.blocks / f"{name}.json")

    def load_block(self, name: str) -> Block | None:
        """Load a block; None where it is finished and gone. Raises StoreError for a damaged one."""
        for folder in (self.timed, self.blocks):  # in the order in which it may be moved
            path = folder / f"{name}.json"
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            return _parse(Block, path, content)
        return None

    def remove(self, name: str) -> None:
        """Remove a block that is finished or no longer wanted."""
        for folder in (self.timed, self.blocks):
            (folder / f"{name}.json").unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove the folders of blocks where there are none."""
        for folder in (self.timed, self.blocks):
            remove_if_empty(folder)

    def clear(self) -> None:
        """Remove the plan, if no block is left."""
        if not self.names():
            self.path.unlink(missing_ok=True)
            self.tidy()
            remove_if_empty(self.path.parent)


def _parse(kind: type[T], path: Path, content: bytes) -> T:
    """Read a plan or a block. Raises StoreError, in a sentence."""
    try:
        fields = json.loads(content)
        version = fields.get("format", FORMAT)
        if version > FORMAT:
            raise StoreError(
                f"{path} was written by a newer fashionbench (format {version}, this one reads up "
                f"to {FORMAT}); update fashionbench on this machine."
            )
        return kind.model_validate(fields)
    except ValidationError as error:
        reason = describe_refusal(error, kind)
    except (ValueError, AttributeError, TypeError) as error:
        reason = f"{error}."
    raise StoreError(f"{path} is damaged: {reason} Give the command that planned it again.")


def split_evenly(jobs: Sequence[Job], size: int) -> list[tuple[Job, ...]]:
    """Split jobs into as few parts as hold at most `size` each, of nearly the same size."""
    parts = -(-len(jobs) // size)
    bounds = [len(jobs) * part // parts for part in range(parts + 1)]
    return [tuple(jobs[low:high]) for low, high in pairwise(bounds)]
