"""The test images on which two models differ: most runs of one are right, most of the other not."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fashionbench.report.comparison import Comparison
from fashionbench.report.entries import Entry

__all__ = ["Flips", "find_flips"]


@dataclass(frozen=True)
class Flips:
    """Two entries, and for each of N test images the share of their runs that is right."""

    first: str
    second: str
    shares: tuple[NDArray[np.float64], NDArray[np.float64]]
    labels: NDArray[np.uint8]
    classes: tuple[str, ...]

    def only(self, which: int, *, stable: bool = False) -> NDArray[np.bool_]:
        """Mark the images that only the first (0) or only the second (1) gets right.

        That is in more than half of its runs, and at most half of the other's; `stable`: in all of
        its runs, and none of the other's.
        """
        own, other = self.shares[which], self.shares[1 - which]
        return (own == 1) & (other == 0) if stable else (own > 0.5) & (other <= 0.5)

    def clearest(self, which: int, count: int) -> NDArray[np.intp]:
        """Find the images that tell the two apart most clearly, in the order of the test set."""
        lead = np.where(self.only(which), self.shares[which] - self.shares[1 - which], 0)
        order = np.argsort(-lead, kind="stable")[:count]
        return order[lead[order] > 0]

    def rows(self) -> Iterator[tuple[str, int, int, int, int]]:
        """Yield of each class how many only the first gets right, of them stable; then the second.

        The classes in which most images flip come first.
        """
        marks = [self.only(which, stable=stable) for which in (0, 1) for stable in (False, True)]
        counts = [np.bincount(self.labels[mark], minlength=len(self.classes)) for mark in marks]
        for index in np.argsort(-(counts[0] + counts[2]), kind="stable"):
            a, stable_a, b, stable_b = (int(count[index]) for count in counts)
            yield self.classes[index], a, stable_a, b, stable_b


def find_flips(comparison: Comparison) -> Flips | None:
    """Compare the most accurate entry with the next, image by image; None where there is one."""
    entries = [row.entry for row in comparison.ranking[:2]]
    if len(entries) < 2:
        return None
    first, second = entries
    labels = comparison.test_set.labels

    def share(entry: Entry) -> NDArray[np.float64]:
        return np.asarray(entry.mark_correct(labels).mean(axis=0))

    return Flips(
        comparison.name(first),
        comparison.name(second),
        (share(first), share(second)),
        labels,
        comparison.test_set.classes,
    )
