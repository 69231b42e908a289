"""The network that marks what stands out: it is U2-Net-p, and finds things."""

import hashlib

import numpy as np
import pytest
import torch
from factories import photo

from fashionbench.inference.salient import WEIGHTS, U2NetP, find_salient


def test_the_network_has_the_shape_of_the_papers() -> None:
    """The authors' code has 1,131,181 parameters, two a channel in batch normalizations."""
    network = U2NetP()
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    normalized = [m for m in convolutions if m.out_channels > 1]
    assert (len(convolutions), len(normalized)) == (119, 112)
    folded = 2 * sum(convolution.out_channels for convolution in normalized)
    assert sum(p.numel() for p in network.parameters()) + folded == 1_131_181


@pytest.mark.parametrize("size", [(64, 64), (75, 50)])
def test_maps_are_as_large_as_the_pictures(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        found = U2NetP()(torch.zeros(2, 3, *size))
    assert found.shape == (2, 1, *size)
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("seed", range(2))
def test_what_stands_out_is_marked(seed: int) -> None:
    picture, inside = photo(seed)
    found = find_salient(np.asarray(picture), (100, 80))
    assert found.shape == (100, 80)
    marked = found > 0.5
    small = inside.reshape(100, 2, 80, 2).mean(axis=(1, 3)) > 0.5
    assert (marked & small).sum() / (marked | small).sum() > 0.8


def test_the_weights_are_those_that_the_notice_names() -> None:
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert digest in WEIGHTS.with_suffix(".txt").read_text("utf-8")
