"""All parts of an audit, one after another -> the document."""

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from fashionbench.config.study import Study
from fashionbench.core.files import write_atomically
from fashionbench.core.machine import describe_environment
from fashionbench.data.datasets import name_pictures
from fashionbench.data.split import Dataset
from fashionbench.experiments.audit.asked import Asked
from fashionbench.experiments.audit.dealt import judge_deals
from fashionbench.experiments.audit.doubles import find_doubles
from fashionbench.experiments.audit.findings import Pooled, describe_doubles, known_test_images
from fashionbench.experiments.audit.folds import check_folds, judge
from fashionbench.experiments.audit.grouped import group_split
from fashionbench.experiments.audit.labels import Judge, describe_labels
from fashionbench.experiments.audit.split_luck import (
    compare_judge,
    find_positions,
    place_dealt,
    place_neighbours,
)
from fashionbench.experiments.audit.telling import tell_apart
from fashionbench.experiments.gate import examine
from fashionbench.models.table import model_entry
from fashionbench.report.audit.audit_document import AuditDocument, LabelsFound, SplitFound
from fashionbench.store.records import digest_images

__all__ = ["survey"]

logger = logging.getLogger(__name__)


def survey(
    study: Study, data: Dataset, folder: Path, command: str, asked: Asked, device: torch.device
) -> AuditDocument:
    """Audit a data set into a folder, where folds and deals that are finished are kept."""
    pooled = Pooled(
        torch.cat([data.train.labels, data.test.labels]).numpy(),
        len(data.train),
        data.classes,
        name_pictures(data.name),
    )
    if asked.folds:
        check_folds(data.train.labels.numpy(), data.classes, asked.folds)
    seconds: dict[str, float] = {}
    with _clocked(seconds, "doubles"):
        images = torch.cat([data.train.images, data.test.images])
        doubles = find_doubles(images.to(device))
    grouped = None
    if asked.split == "grouped":
        listed, grouped = group_split(doubles, pooled)
        write_atomically(folder / "split.csv", listed.encode())
    doubtful = {"double": known_test_images(doubles, pooled).tolist()}
    labels, judges = None, list[Judge]()
    if asked.folds:
        with _clocked(seconds, "folds"):
            for jobs in study.entries():
                label = model_entry(jobs[0].spec).label
                for sentence in examine(jobs[0], data).sentences(label):
                    logger.warning(sentence)
                judges.append(Judge(jobs, judge(jobs, data, asked.folds, folder / "folds", device)))
        with _clocked(seconds, "labels"):
            labels = describe_labels(judges, pooled)
        doubtful = {"label": _doubtful_tests(labels)} | doubtful
    with _clocked(seconds, "split"):
        split = _survey_split(data, images.to(device), pooled, judges, asked.deals, folder, device)
    environment = describe_environment(
        {name: sys.modules[name].__version__ for name in ("torch", "numpy", "fashionbench")},
        threads=torch.get_num_threads(),
        device=device.type,
    )
    return AuditDocument(
        dataset=data.name,
        title=data.title,
        digests={
            name: digest_images(split.images.numpy(), split.labels.numpy().astype("uint8"))
            for name, split in (("train", data.train), ("test", data.test))
        },
        command=command,
        channels=study.channels,
        size=study.size,
        classes=list(data.classes),
        train_images=len(data.train),
        test_images=len(data.test),
        notes=list(data.notes),
        device=device.type,
        threads=environment.threads,
        versions=environment.versions,
        processor=environment.processor,
        seconds=seconds,
        doubles=describe_doubles(doubles, pooled),
        labels=labels,
        split=split,
        grouped=grouped,
        doubtful_test_images=doubtful,
    )


def _survey_split(
    data: Dataset,
    images: torch.Tensor,
    pooled: Pooled,
    judges: Sequence[Judge],
    deals: int,
    folder: Path,
    device: torch.device,
) -> SplitFound:
    """Ask how lucky the split is; by neighbours alone where there are no judges."""
    places, neighbours = place_neighbours(images, pooled)
    telling = None
    if judges:
        first = judges[0].jobs
        if deals:
            dealt = judge_deals(first[0], data, deals, folder / "deals", device)
            places.append(place_dealt(first[0].model, dealt))
        telling = tell_apart(first, data, device)
    return SplitFound(
        judges=[compare_judge(judge, pooled) for judge in judges],
        deals=places,
        telling=telling,
        positions=find_positions(pooled, neighbours, judges),
    )


def _doubtful_tests(labels: LabelsFound) -> list[int]:
    """Return the positions of the test images whose label consensus doubts."""
    return sorted(
        suspect.image.position
        for suspect in labels.suspects
        if suspect.is_consensus and suspect.image.split == "test"
    )


@contextmanager
def _clocked(seconds: dict[str, float], part: str) -> Iterator[None]:
    """Note how long a part takes."""
    start = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - start
