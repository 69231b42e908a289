"""audit(dataset): what is doubtful about a data set, with a page to send to colleagues."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fashionbench.core.machine import describe_environment
from fashionbench.data.datasets import dataset_entry, name_pictures
from fashionbench.errors import Interrupted
from fashionbench.experiments.call import write_call
from fashionbench.experiments.planning import default_folder
from fashionbench.report.audit_document import AuditDocument, DoublePair
from fashionbench.store.records import digest_images

if TYPE_CHECKING:
    import torch

    from fashionbench.data.split import Dataset

__all__ = ["Audit", "audit", "default_audit_folder", "run_audit"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Audit:
    """A finished audit. In a notebook it shows what was found in brief."""

    document: AuditDocument
    """All findings, with the fields of audit.json as attributes."""
    folder: Path
    """Where audit.html and audit.json are."""

    @property
    def doubles(self) -> list[DoublePair]:
        """The pairs that are called double, the nearest first."""
        return self.document.doubles.pairs

    def to_json(self) -> str:
        """Return the document as audit.json holds it."""
        return self.document.to_json()

    def _repr_html_(self) -> str:
        from fashionbench.report.audit_page import render_summary

        return render_summary(self.document)


def default_audit_folder(dataset: str) -> Path:
    """Return the folder for the audit of a data set, where the person names none."""
    return default_folder(dataset) / "audit"


def audit(
    dataset: str = "fashion-mnist",
    *,
    data_dir: Path | str | None = None,
    device: str = "auto",
    out: Path | str | None = None,
) -> Audit:
    """Audit a data set: find its doubles, and write audit.html and audit.json.

    Args:
        dataset: A key of the table, or the path of a folder of your own.
        data_dir: The folder of the data set's files.
        device: "auto", "cpu", "cuda" or "mps".
        out: The folder to write to; runs/DATASET/audit by default.

    Raises UsageError, DataError or StoreError for what cannot be done, and Interrupted after
    Ctrl-C.

    Examples:
        >>> found = fb.audit("silhouettes")
        >>> found.doubles[0].distance <= found.document.doubles.threshold
        True
    """
    command = write_call(audit, locals())
    folder = Path(out or default_audit_folder(dataset))
    return run_audit(dataset, folder, data_dir, command, device=device)


def run_audit(
    dataset: str, folder: Path, data_dir: Path | str | None, command: str, *, device: str = "auto"
) -> Audit:
    """Audit a data set into a folder; `command` is what a person types to get the same again."""
    from fashionbench.data.datasets import load_data
    from fashionbench.training.devices import resolve_device

    dataset_entry(dataset)  # an unknown one is told before torch is loaded
    on = resolve_device(device)
    data = load_data(dataset, data_dir)
    for note in data.notes:
        logger.warning(note)
    try:
        document = _find(data, on, command)
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted. To do it again: {command}") from None
    pictures = {"train": data.train.images.numpy(), "test": data.test.images.numpy()}
    from fashionbench.report.audit_page import write_audit

    write_audit(document, pictures, folder)
    return Audit(document, folder)


def _find(data: "Dataset", device: "torch.device", command: str) -> AuditDocument:
    import torch

    from fashionbench.experiments.audit.doubles import find_doubles
    from fashionbench.experiments.audit.findings import Pooled, describe_doubles, known_test_images

    pooled = Pooled(
        torch.cat([data.train.labels, data.test.labels]).numpy(),
        len(data.train),
        data.classes,
        name_pictures(data.name),
    )
    seconds: dict[str, float] = {}
    with _clocked(seconds, "doubles"):
        images = torch.cat([data.train.images, data.test.images])
        found = find_doubles(images.to(device))
    environment = describe_environment(
        {name: sys.modules[name].__version__ for name in ("torch", "numpy", "fashionbench")},
        threads=torch.get_num_threads(),
        device=device.type,
    )
    known = known_test_images(found, pooled)
    return AuditDocument(
        dataset=data.name,
        title=data.title,
        digests={
            name: digest_images(split.images.numpy(), split.labels.numpy().astype("uint8"))
            for name, split in (("train", data.train), ("test", data.test))
        },
        command=command,
        classes=list(data.classes),
        train_images=len(data.train),
        test_images=len(data.test),
        notes=list(data.notes),
        device=device.type,
        threads=environment.threads,
        versions=environment.versions,
        processor=environment.processor,
        seconds=seconds,
        doubles=describe_doubles(found, pooled),
        doubtful_test_images={"double": known.tolist()},
    )


@contextmanager
def _clocked(seconds: dict[str, float], part: str) -> Iterator[None]:
    """Note how long a part takes."""
    start = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - start
