"""The conditions of a plan, found out here and compared there: code, torch, data, threads.

Equal conditions give equal numbers, as far as machines of one kind do. What differs is refused in
a sentence; kinds of machines are not refused but noted.
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from fashionbench.config.execution import Parallel
from fashionbench.config.study import PROTOCOL, Device
from fashionbench.data.split import Dataset
from fashionbench.errors import DataError, UsageError
from fashionbench.experiments.cluster.plan import Plan

__all__ = ["digest_code", "digest_data", "make_plan", "refuse_other_data", "refuse_other_program"]


def make_plan(
    data: Mapping[str, str],
    data_dir: Path | str | None,
    *,
    threads: int,
    device: Device,
    parallel: Parallel,
    on: str = "",
    command: str = "",
) -> Plan:
    """Make the plan for runs of this program here; `data` has digests by `data_name`."""
    return Plan(
        code=digest_code(),
        torch=torch.__version__,
        data=dict(data),
        threads=max(1, threads),
        device=device,
        parallel=parallel,
        data_dir=None if data_dir is None else str(data_dir),
        folder=str(Path.cwd()),
        path=tuple(entry for entry in sys.path if isinstance(entry, str)),
        on=on,
        command=command,
    )


def digest_code() -> str:
    """Digest the files of this program: other code may give other numbers."""
    package = Path(__file__).parent.parent.parent
    digest = hashlib.sha256()
    for path in sorted(_sources(package)):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(package: Path) -> Iterator[Path]:
    for pattern in ("*.py", "*.c"):
        yield from package.rglob(pattern)


def digest_data(dataset: Dataset) -> str:
    """Digest the images and labels as they are trained on."""
    digest = hashlib.blake2b(digest_size=8)
    for split in (dataset.train, dataset.test):
        for tensor in (split.images, split.labels):
            array = tensor.cpu().numpy()
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def refuse_other_program(plan: Plan) -> None:
    """Raise UsageError where this program or its torch is not the one of the plan."""
    here = {"protocol": PROTOCOL, "torch": torch.__version__, "code": digest_code()}
    for what, found in here.items():
        planned = getattr(plan, what)
        if found != planned:
            name = "fashionbench's code" if what == "code" else what
            raise UsageError(
                f"The plan is for {name} {planned}, and this machine has {found}: its runs would "
                "not be comparable. Install the same here, or give the command that planned it "
                "again with what is here."
            )


def refuse_other_data(plan: Plan, name: str, dataset: Dataset) -> None:
    """Raise DataError where the data that the plan calls `name` are others here."""
    if digest_data(dataset) != plan.data.get(name):
        raise DataError(
            f"{dataset.title} is not the same here as where the plan was made, so nothing is "
            "trained on it; copy the files from there."
        )
