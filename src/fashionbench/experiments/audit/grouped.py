"""A split that keeps doubles together, as a list for whoever moves the files."""

import csv
import io

import numpy as np
from numpy.typing import NDArray

from fashionbench.experiments.audit.doubles import Doubles
from fashionbench.experiments.audit.findings import THRESHOLD, Pooled
from fashionbench.stats.groups import deal_by_group, group_pairs

__all__ = ["write_grouped_split"]

COLUMNS = ("split", "position", "file", "label", "group", "grouped_split")


def write_grouped_split(found: Doubles, pooled: Pooled, threshold: float = THRESHOLD) -> str:
    """Return a CSV with a line for each image: where it is, its group, and where it should be.

    Each class keeps its number of test images. The group of an image without a double is empty.
    """
    near = found.distance <= threshold
    groups = group_pairs(found.first[near], found.second[near], len(pooled.labels))
    wanted = np.bincount(pooled.parts[1], minlength=len(pooled.classes))
    testing = deal_by_group(pooled.labels, groups, wanted)
    names = _number_groups(groups)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, (group, is_test) in enumerate(zip(names, testing.tolist(), strict=True)):
        place = pooled.place(row)
        where = (place.split, place.position, place.file or "", place.label)
        writer.writerow([*where, group, "test" if is_test else "train"])
    return buffer.getvalue()


def _number_groups(groups: NDArray[np.int64]) -> list[str]:
    """Count groups of several images from 1 on; "" for an image alone."""
    several = np.bincount(groups) > 1
    numbers = np.cumsum(several) * several
    return [str(number or "") for number in numbers[groups].tolist()]
