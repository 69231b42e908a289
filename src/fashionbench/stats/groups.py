"""Groups of images that are doubles of each other, and a split that keeps them together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["deal_by_group", "group_pairs"]


def group_pairs(
    first: NDArray[np.int64], second: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Return (N,) numbers of groups: two images share one if a chain of pairs links them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    _, groups = connected_components(links, directed=False)
    return np.asarray(groups, np.int64)


def deal_by_group(
    labels: NDArray[Any], groups: NDArray[np.int64], test_images: NDArray[Any], seed: int = 0
) -> NDArray[np.bool_]:
    """Return (N,) which images are for testing: whole groups, by chance, each class as asked.

    `test_images` are the (K,) numbers of test images wanted of each class. Groups of several
    images are dealt first, each for testing with the chance that an image has, if there is room;
    single ones fill up. So a class falls short of its number only where its single images do not
    suffice.
    """
    rng = np.random.default_rng(seed)
    left = np.array(test_images, np.int64)
    testing = np.zeros(len(labels), bool)
    share = left.sum() / max(1, len(labels))
    sizes = np.bincount(groups)
    for group in rng.permutation(np.flatnonzero(sizes > 1)):
        members = np.flatnonzero(groups == group)
        wanted = np.bincount(labels[members], minlength=len(left))
        if rng.random() < share and (wanted <= left).all():
            testing[members] = True
            left -= wanted
    single = rng.permutation(np.flatnonzero(sizes[groups] == 1))
    for label, wanted in enumerate(left):
        testing[single[labels[single] == label][:wanted]] = True
    return testing
