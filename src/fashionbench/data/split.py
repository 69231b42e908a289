"""Images and their labels: of a split, of a whole data set, and which training images are held out.

All images lie in memory as one uint8 tensor, so that a batch is an indexing.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.shape import Shape
from fashionbench.data.picture_reading import Levels
from fashionbench.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = [
    "Arrays",
    "Dataset",
    "Split",
    "check_held_out",
    "deal_anew",
    "hold_out",
    "hold_out_order",
]

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""(N, H, W) grey or (N, 3, H, W) images and (N,) labels, as they are read, without torch."""


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images and their labels, on one device: what `fit` trains on and `evaluate` scores."""

    images: "Tensor"
    """(N, H, W) uint8 grey, light on black, or (N, 3, H, W) in color."""
    labels: "Tensor"
    """(N,) int64, from 0 up to the number of classes."""

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({len(self):,} images on {self.labels.device})"

    @property
    def side(self) -> tuple[int, int]:
        """Height and width of an image, in pixels."""
        return self.images.shape[-2], self.images.shape[-1]

    @property
    def shape(self) -> Shape:
        """Channels and side of an image."""
        return Shape.of(self.images)

    def to(self, device: "torch.device | str") -> "Split":
        """Return the split on a device such as "cuda"; itself stays where it is."""
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory, as `load_data` reads it.

    Validation images are part of `train` until a recipe, or `hold_out`, holds them out.
    """

    name: str
    """What `dataset` named: a key of the table, or the path of a folder."""
    title: str
    """What tables and plots call it."""
    classes: tuple[str, ...]
    """The classes' names, in the order of the labels."""
    train: Split
    test: Split
    """For reporting alone: nothing is chosen by it."""
    notes: tuple[str, ...] = ()
    """What a reader of results on it must know, in sentences."""
    levels: Levels | None = None
    """What became black and white in pictures with more than 8 bits; None where there are none."""

    def to(self, device: "torch.device | str") -> "Dataset":
        """Return the data set on a device such as "cuda"; itself stays where it is."""
        return replace(self, train=self.train.to(device), test=self.test.to(device))


@lru_cache(maxsize=1)  # all models of a comparison are trained on one split after another
def deal_anew(dataset: Dataset, split: int) -> Dataset:
    """Deal training and test images anew, as many of each class as before; 0 leaves all as it is.

    Which image goes where follows from a hash of the split's number and the image's position,
    training images first: it is the same for every model, seed and machine.
    """
    if split == 0:
        return dataset
    import torch

    parts = dataset.train, dataset.test
    images = torch.cat([part.images for part in parts])
    labels = torch.cat([part.labels for part in parts])
    train_labels, test_labels = (part.labels.cpu().numpy() for part in parts)
    drawn = _draw_test_images(train_labels, test_labels, split)
    is_test = torch.from_numpy(drawn).to(labels.device)
    train, test = (Split(images[rows], labels[rows]) for rows in (~is_test, is_test))
    return replace(dataset, train=train, test=test)


def _draw_test_images(train: NDArray[Any], test: NDArray[Any], split: int) -> NDArray[np.bool_]:
    """Mark which of all images, with these labels, are the test images of a split dealt anew."""
    labels = np.concatenate([train, test])
    order = _order_by_hash(labels, b"%d %%d" % split)
    counts = np.bincount(labels)
    ranks = np.empty(len(labels), np.intp)  # of each image among those of its class
    ranks[order] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(ranks < np.bincount(test, minlength=len(counts))[labels])


def _order_by_hash(labels: NDArray[Any], text: bytes) -> NDArray[np.intp]:
    """Order positions by label, and within a class by the BLAKE2b (8 bytes) of their text."""
    digests = (hashlib.blake2b(text % i, digest_size=8).digest() for i in range(len(labels)))
    return np.lexsort((np.frombuffer(b"".join(digests), ">u8"), labels))


def hold_out(
    split: Split, validation_images: int, train_images: int | None = None
) -> tuple[Split, Split]:
    """Divide into training and validation images: each class gives the same share.

    Which images are held out follows from a hash of their positions, so it is the same
    for every model, seed and machine; to hold out more adds to those held out before.
    With `train_images` only so many are trained on: those that would be held out last, so
    that fewer are part of more, and validation images change nothing about them.
    Raises UsageError unless each class keeps an image to train on.
    """
    if validation_images == 0 and train_images is None:
        return split, Split(split.images[:0], split.labels[:0])
    import torch

    labels = split.labels.cpu().numpy()
    wanted = check_held_out(labels, validation_images, train_images)
    order = hold_out_order(labels)
    parts = order[len(labels) - wanted :], order[:validation_images]
    rows = [torch.from_numpy(np.sort(part)).to(split.labels.device) for part in parts]
    training, validation = (Split(split.images[row], split.labels[row]) for row in rows)
    return training, validation


def check_held_out(labels: NDArray[Any], validation_images: int, train_images: int | None) -> int:
    """Return how many images are trained on; raise UsageError unless each class keeps one."""
    classes = len(np.unique(labels))
    limit = len(labels) - classes
    if not 0 <= validation_images <= limit:
        raise UsageError(
            f"{validation_images} validation images cannot be held out of {len(labels)}; "
            f"0 to {limit} leave an image of each class to train on."
        )
    left = len(labels) - validation_images
    wanted = left if train_images is None else train_images
    if not classes <= wanted <= left:
        raise UsageError(
            f"train_images is {wanted}, but should be {classes} to {left}: one of each of the "
            f"{classes} classes at least, and no more than there are."
        )
    return wanted


def hold_out_order(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Return (N,) positions in the order in which they are held out.

    Within a class by the BLAKE2b (8 bytes) of the decimal position; between classes by
    the share of its class that is then held out, so that the last images of all classes
    come last; ties by label.
    """
    order = _order_by_hash(labels, b"%d")
    counts = np.bincount(labels)
    ranks = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order[np.argsort((ranks + 1) / np.repeat(counts, counts), kind="stable")]
