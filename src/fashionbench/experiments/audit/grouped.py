"""A split that keeps doubles together, as a list for whoever moves the files."""

import csv
import io

import numpy as np
from numpy.typing import NDArray

from fashionbench.experiments.audit.doubles import Doubles
from fashionbench.experiments.audit.findings import THRESHOLD, Pooled
from fashionbench.report.audit.audit_document import GroupedSplit
from fashionbench.stats.groups import group_pairs, join_groups

__all__ = ["group_split"]

COLUMNS = ("split", "position", "file", "label", "group", "grouped_split")


def group_split(
    found: Doubles, pooled: Pooled, threshold: float = THRESHOLD
) -> tuple[str, GroupedSplit]:
    """Return a CSV with a line for each image, and how many of them are to change sides.

    It says where an image is, its group, which is empty where it has no double, and where it should
    be. Each class keeps its number of test images.
    """
    near = found.distance <= threshold
    groups = group_pairs(found.first[near], found.second[near], len(pooled.labels))
    before = pooled.testing
    testing = join_groups(pooled.labels, groups, before)
    names = _number_groups(groups)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, (group, is_test) in enumerate(zip(names, testing.tolist(), strict=True)):
        place = pooled.place(row)
        where = (place.split, place.position, place.file or "", place.label)
        writer.writerow([*where, group, "test" if is_test else "train"])
    moves = GroupedSplit(
        to_train=int((before & ~testing).sum()), to_test=int((testing & ~before).sum())
    )
    return buffer.getvalue(), moves


def _number_groups(groups: NDArray[np.int64]) -> list[str]:
    """Count groups of several images from 1 on; "" for an image alone."""
    several = np.bincount(groups) > 1
    numbers = np.cumsum(several) * several
    return [str(number or "") for number in numbers[groups].tolist()]
