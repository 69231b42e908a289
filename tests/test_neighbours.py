"""The nearest neighbours are those of scikit-learn's brute force."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from fashionbench.data.split import Dataset
from fashionbench.experiments.audit import neighbours
from fashionbench.experiments.audit.neighbours import find_neighbours


@pytest.mark.parametrize("shape", [(28, 28), (3, 14, 14)])
def test_neighbours_are_scikit_learns(
    silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    monkeypatch.setattr(neighbours, "ROWS", 128)  # the last block is short
    monkeypatch.setattr(neighbours, "PART", 300)
    images = silhouettes.train.images[:700].flatten(1)[:, : np.prod(shape)].reshape(-1, *shape)
    found = find_neighbours(images, 5)
    flat = images.flatten(1).double().numpy()
    search = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(flat)
    distances, positions = search.kneighbors()
    assert np.allclose(found.distances, distances, atol=1e-4)
    assert (found.positions == positions).mean() > 0.99  # but for images equally near


def test_of_equally_near_images_the_first_comes_first() -> None:
    images = torch.zeros(4, 28, 28, dtype=torch.uint8)
    assert find_neighbours(images, 2).positions.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]
