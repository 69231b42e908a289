"""What was found, as arrays -> the parts of the document, in names and places."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fashionbench.experiments.audit.doubles import Doubles
from fashionbench.report.audit.audit_document import (
    DistanceCount,
    DoubleCount,
    DoublePair,
    DoublesFound,
    ImagePlace,
    Kind,
    Split,
    Where,
)
from fashionbench.stats.groups import group_pairs

__all__ = ["THRESHOLD", "Pooled", "describe_doubles", "known_test_images"]

THRESHOLD = 10.0
"""Grey levels up to which a pair is called double. Of Fashion-MNIST each level up to here has about
ten pairs; from here on each has twice as many as the one before, which are alike by chance."""
LISTED = 10_000
"""Pairs that the document lists at most."""
KINDS: tuple[Kind, ...] = ("exact", "mirrored", "near")
PLACES: tuple[Where, ...] = ("within train", "within test", "across")


@dataclass(frozen=True)
class Pooled:
    """The images of a data set counted through: those for training, then those for testing."""

    labels: NDArray[np.int64]
    """(N,) labels."""
    train_images: int
    classes: Sequence[str]
    files: Mapping[str, Sequence[str]]
    """Of each split the files of its pictures; empty where files hold many images."""

    @property
    def testing(self) -> NDArray[np.bool_]:
        """(N,) which images are for testing."""
        return np.arange(len(self.labels)) >= self.train_images

    @property
    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The labels of the training images, and those of the test images."""
        return self.labels[: self.train_images], self.labels[self.train_images :]

    def place(self, index: int) -> ImagePlace:
        """Name an image by its split and position there."""
        split: Split = "test" if index >= self.train_images else "train"
        position = index - self.train_images if split == "test" else index
        return ImagePlace(
            split=split,
            position=position,
            label=self.classes[self.labels[index]],
            file=self.files[split][position] if self.files else None,
        )


def describe_doubles(found: Doubles, pooled: Pooled, threshold: float = THRESHOLD) -> DoublesFound:
    """Count, group and name the pairs up to the threshold."""
    near = found.distance <= threshold
    first, second = found.first[near], found.second[near]
    groups = np.bincount(group_pairs(first, second, len(pooled.labels)))
    several = groups[groups > 1]
    return DoublesFound(
        threshold=threshold,
        limit=found.limit,
        counts=[*_count(found, pooled, near)],
        distances=[*_count_distances(found, pooled)],
        images=int(several.sum()),
        groups=len(several),
        largest_group=int(several.max(initial=0)),
        test_images_known=len(known_test_images(found, pooled, threshold)),
        pairs=[_name_pair(found, pooled, k) for k in np.flatnonzero(near)[:LISTED].tolist()],
    )


def known_test_images(
    found: Doubles, pooled: Pooled, threshold: float = THRESHOLD
) -> NDArray[np.int64]:
    """Return the positions of the test images that have a double among the training images."""
    testing = pooled.testing
    across = ~testing[found.first] & testing[found.second] & (found.distance <= threshold)
    known = np.unique(found.second[across])
    # Of copies the first stands for all: what it is near to, so are they.
    copies = (_kinds(found) == 0) & np.isin(found.first, known)
    return np.unique(np.append(known, found.second[copies])) - pooled.train_images


def _kinds(found: Doubles) -> NDArray[np.int64]:
    """Return (P,) places in KINDS."""
    same = (found.distance == 0) & (found.shift == 0).all(axis=1)
    return np.where(same, np.where(found.mirrored, 1, 0), 2)


def _count(found: Doubles, pooled: Pooled, near: NDArray[np.bool_]) -> Iterator[DoubleCount]:
    tested = pooled.testing[found.first].astype(int) + pooled.testing[found.second]
    places = np.array([0, 2, 1])[tested]  # one of two is across
    same = pooled.labels[found.first] == pooled.labels[found.second]
    kinds = _kinds(found)
    for kind, name in enumerate(KINDS):
        for place, where in enumerate(PLACES):
            of = near & (kinds == kind) & (places == place)
            yield DoubleCount(
                kind=name,
                where=where,
                same_label=int((of & same).sum()),
                other_label=int((of & ~same).sum()),
            )


def _count_distances(found: Doubles, pooled: Pooled) -> Iterator[DistanceCount]:
    same = pooled.labels[found.first] == pooled.labels[found.second]
    edges = np.append(np.arange(0, np.ceil(found.limit)), found.limit)
    counts = [np.histogram(found.distance[which], edges)[0] for which in (same, ~same)]
    for above, up_to, of_same, of_other in zip(edges[:-1], edges[1:], *counts, strict=True):
        yield DistanceCount(
            above=above, up_to=up_to, same_label=int(of_same), other_label=int(of_other)
        )


def _name_pair(found: Doubles, pooled: Pooled, k: int) -> DoublePair:
    down, right = found.shift[k].tolist()
    return DoublePair(
        a=pooled.place(int(found.first[k])),
        b=pooled.place(int(found.second[k])),
        kind=KINDS[_kinds(found)[k]],
        distance=float(found.distance[k]),
        down=down,
        right=right,
        is_mirrored=bool(found.mirrored[k]),
    )
