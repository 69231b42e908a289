"""Groups of images that are doubles of each other, and a split that keeps them together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["group_pairs", "join_groups"]


def group_pairs(
    first: NDArray[np.int64], second: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Return (N,) numbers of groups: two images share one if a chain of pairs links them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    _, groups = connected_components(links, directed=False)
    return np.asarray(groups, np.int64)


def join_groups(
    labels: NDArray[Any], groups: NDArray[np.int64], testing: NDArray[np.bool_], seed: int = 0
) -> NDArray[np.bool_]:
    """Return (N,) which images are for testing once no group is divided; few change sides.

    `testing` are those that are for testing now. A divided group goes where most of its images
    are, to training where as many are on either side. Then images that are alone in their group,
    drawn by chance, change sides until each class has its number of test images again, or until
    there are no more of them.
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(groups)
    joined = np.asarray((np.bincount(groups, weights=testing) / sizes)[groups] > 0.5)
    alone = sizes[groups] == 1
    for label in np.unique(labels):
        missing = int(testing[labels == label].sum() - joined[labels == label].sum())
        others = np.flatnonzero((labels == label) & alone & (joined == (missing < 0)))
        joined[rng.permutation(others)[: abs(missing)]] = missing > 0
    return joined
