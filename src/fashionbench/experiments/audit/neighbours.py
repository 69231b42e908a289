"""The nearest other images of every image, by Euclidean distance of pixels: exact, in blocks."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fashionbench.core.progress import progress_bar

__all__ = ["Neighbours", "find_neighbours"]

ROWS, PART = 256, 4096
"""Images whose distances to all others are computed at once, and so many others at a time."""
MORE = 4
"""Neighbours beyond those asked for: rounding may put one before another that is as near."""


@dataclass(frozen=True)
class Neighbours:
    """The k nearest other images of N images, the nearest first."""

    positions: NDArray[np.int64]
    """(N, k)"""
    distances: NDArray[np.float64]
    """(N, k) Euclidean distances in grey levels, exact."""


def find_neighbours(images: Tensor, count: int) -> Neighbours:
    """Find the `count` nearest other images of each of N uint8 images, of any shape."""
    flat = images.flatten(1)  # as bytes: pixels of 32 bits take four times the memory
    squares = torch.cat([part.float().square_().sum(dim=1) for part in flat.split(ROWS)])
    wanted = min(count + MORE, len(flat) - 1)
    positions, distances = [], []
    with progress_bar(total=len(flat), desc="neighbours", unit="image") as bar:
        for start in range(0, len(flat), ROWS):
            rows = flat[start : start + ROWS].float()
            apart = squares.repeat(len(rows), 1)  # but for the rows' own squares
            for part, others in zip(apart.split(PART, dim=1), flat.split(PART), strict=True):
                part.addmm_(rows, others.float().T, alpha=-2)
            own = torch.arange(len(rows), device=flat.device)
            apart[own, own + start] = torch.inf
            near = apart.topk(wanted, dim=1, largest=False).indices
            exact = torch.stack(
                [
                    (flat[near[:, k]].float() - rows).double().square_().sum(dim=1)
                    for k in range(wanted)
                ],
                dim=1,
            )
            # Stable, after the order of positions: of two equally near the first.
            near, by_position = near.sort(dim=1)
            exact, order = exact.gather(1, by_position).sort(dim=1, stable=True)
            positions.append(near.gather(1, order)[:, :count].cpu())
            distances.append(exact[:, :count].sqrt().cpu())
            bar.update(len(rows))
    return Neighbours(torch.cat(positions).numpy(), torch.cat(distances).numpy())
