"""Images that are there twice: exactly, mirrored, or nearly, after shifts of up to two pixels.

The distance of two images is the root of the mean squared difference of grey levels, in color of
red, green and blue each, over the pixels that both have once one of them is shifted, and mirrored
or not; the best of all ways counts.
The search is exact, though few pairs are compared in full. The middle of an image is there after
every shift, and projected onto principal components two middles can only come nearer: what is far
apart there is far apart. Images that are alike are sorted into blocks. Of a block only those images
are looked at that lie near the box around it; one product of matrices gives all their distances in
the projection, and what is within the limit there is compared pixel by pixel.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fashionbench.core.progress import progress_bar

__all__ = ["LIMIT", "Doubles", "find_doubles", "list_copies"]

LIMIT = 16.0
"""Grey levels; pairs up to here are listed, more than are called doubles."""
SHIFT = 2
"""Pixels, in each direction."""
COMPONENTS, BOXED, SAMPLE = 64, 16, 1024
"""Of the projection; those that a box is drawn in, the first of them; images that tell them."""
BLOCK = 128
"""Images; small enough for a tight box, large enough to keep a processor busy."""
MOST = 1_000_000
"""Pairs that are kept, the nearest of all: images that are all alike have billions."""
ROUNDING = 1e-5
"""Of a sum of squares in float32, far more than products and sums of COMPONENTS lose."""
CHUNK = 512
"""Images, or pairs, whose pixels are numbers of 32 bits at once: few, for the sake of memory."""


@dataclass(frozen=True)
class Doubles:
    """(P,) pairs of images within `limit`, by position, the nearest first."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.float64]
    """Grey levels, over the pixels that both images have."""
    shift: NDArray[np.int64]
    """(P, 2) pixels down and to the right by which the first is moved to match the second."""
    mirrored: NDArray[np.bool_]
    limit: float
    """Every pair within it is listed; lower than what was asked where there were too many."""

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class _Way:
    """A way in which one image may match another."""

    down: int
    right: int
    mirrored: bool

    def moved(self, images: Tensor) -> Tensor:
        """Return the part of (N, H, W) or (N, C, H, W) first images that has a counterpart."""
        images = images.flip(-1) if self.mirrored else images
        rows, columns = (_part(-by, side) for by, side in self._by(images))
        return images[..., rows, columns]

    def met(self, images: Tensor) -> Tensor:
        """Return the part of the second images that has a counterpart."""
        rows, columns = (_part(by, side) for by, side in self._by(images))
        return images[..., rows, columns]

    def middle(self, images: Tensor) -> Tensor:
        """Return what of the first images lies on the middle of the second."""
        images = images.flip(-1) if self.mirrored else images
        rows, columns = (slice(SHIFT - by, side - SHIFT - by) for by, side in self._by(images))
        return images[..., rows, columns]

    def _by(self, images: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.down, images.shape[-2]), (self.right, images.shape[-1])


def _part(by: int, side: int) -> slice:
    return slice(max(0, by), side + min(0, by))


WAYS = sorted(
    (
        _Way(down, right, mirrored)
        for down, right in product(range(-SHIFT, SHIFT + 1), repeat=2)
        for mirrored in (False, True)
    ),
    key=lambda way: (way.mirrored, abs(way.down) + abs(way.right)),
)
"""The plainest first: of two that are equally near it is the one told."""
PLAIN = WAYS[0]


def list_copies(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return, for each of N images, the position of the first that is the same."""
    first: dict[bytes, int] = {}
    digests = (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    return np.array([first.setdefault(digest, k) for k, digest in enumerate(digests)], np.int64)


def find_doubles(
    images: Tensor, limit: float = LIMIT, *, most: int = MOST, description: str = "doubles"
) -> Doubles:
    """Find all pairs of uint8 images within `limit` grey levels, on their device.

    Images are (N, H, W), or (N, C, H, W) in color.

    Of images that are copies of each other the first stands for all in what is near it, and each
    of the others makes one pair with it. Where there are more than `most` pairs the nearest are
    kept, and the limit lowered.
    """
    firsts = list_copies(images.cpu().numpy())
    copies = np.flatnonzero(firsts != np.arange(len(firsts)))
    distinct = np.flatnonzero(firsts == np.arange(len(firsts)))
    found = _Found(limit, most)
    found.add(np.stack([firsts[copies], copies], axis=1), np.zeros(len(copies)), 0)
    if len(distinct) > 1:
        _Search(images, distinct, found).run(description)
    return found.best()


class _Search:
    """The search among images that are all different."""

    def __init__(self, images: Tensor, distinct: NDArray[np.int64], found: "_Found") -> None:
        rows = torch.from_numpy(distinct).to(images.device)
        self._images, self._found = images, found
        self._components = _principal_components(images)
        points = _project(images, rows, self._components, PLAIN)
        order = _sort_alike(points)
        self._positions = rows.index_select(0, order)
        self._plain = _Points.of(points.index_select(0, order))

    def run(self, description: str) -> None:
        """Search in every way, on the CPU in as many at once as torch has threads."""
        on_cpu = self._images.device.type == "cpu"
        pool = ThreadPoolExecutor(
            torch.get_num_threads() if on_cpu else 1,
            # Many small products: each thread computes its own.
            initializer=partial(torch.set_num_threads, 1),
        )
        total = len(WAYS) * len(self._plain.low)
        try:
            with progress_bar(total=total, desc=description, unit="block") as bar:
                [*pool.map(partial(self._search, done=bar.update), range(len(WAYS)))]
        finally:
            pool.shutdown(cancel_futures=True)

    def _search(self, number: int, done: Callable[[], object]) -> None:
        """Search in one of WAYS: each image moved, with those after it and itself."""
        way = WAYS[number]
        moved = _Points.of(_project(self._images, self._positions, self._components, way))
        pixels = way.met(self._images[:1])[0].numel()
        for block in range(len(moved.low)):
            found = _find_near(moved, self._plain, block, self._found.limit**2 * pixels)
            for pairs in self._positions[found].split(CHUNK):
                distances = _compare(self._images, pairs, way).cpu().numpy()
                near = distances <= self._found.limit
                self._found.add(pairs.cpu().numpy()[near], distances[near], number)
            done()


@dataclass(frozen=True)
class _Points:
    """Images in the projection, those that are alike in blocks of BLOCK, with a box around each."""

    points: Tensor
    """(N, C)"""
    boxed: Tensor
    """(N, X) the first of their coordinates, in which boxes are drawn."""
    squares: Tensor
    """(N,) squared lengths."""
    low: Tensor
    high: Tensor
    """(B, X) ends of the boxes."""

    @classmethod
    def of(cls, points: Tensor) -> "_Points":
        boxed = points[:, :BOXED].contiguous()
        blocks = boxed.split(BLOCK)
        low, high = (
            torch.stack([end(block, dim=0) for block in blocks]) for end in (torch.amin, torch.amax)
        )
        return cls(points, boxed, points.square().sum(dim=1), low, high)


def _find_near(moved: _Points, plain: _Points, block: int, farthest: float) -> Tensor:
    """Return (P, 2) pairs, the first moved and the second, later one of a block, within reach.

    `farthest` is a squared distance in the projection. One of rounded products may be too large by
    a part of what was added, so a little more is let through.
    """
    low, high = plain.low[block], plain.high[block]
    gaps = torch.maximum(moved.low[: block + 1] - high, low - moved.high[: block + 1])
    reach = farthest * (1 + ROUNDING)
    blocks = (gaps.clamp_(min=0).square_().sum(dim=1) <= reach).nonzero()
    rows = (blocks * BLOCK + torch.arange(BLOCK, device=blocks.device)).flatten()
    rows = rows[rows < len(moved.points)]
    boxed = moved.boxed.index_select(0, rows)
    rows = rows[(boxed - boxed.clamp(low, high)).square_().sum(dim=1) <= reach]
    of_block = slice(block * BLOCK, (block + 1) * BLOCK)
    squares, others = moved.squares.index_select(0, rows), plain.squares[of_block]
    slack = ROUNDING * (others.max() + squares.max()) if len(rows) else 0
    beyond = torch.addmm(
        others - (farthest + slack),
        moved.points.index_select(0, rows),
        plain.points[of_block].T,
        alpha=-2,
    )
    pairs = (beyond <= -squares[:, None]).nonzero()
    pairs[:, 0] = rows[pairs[:, 0]]
    pairs[:, 1] += block * BLOCK
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _principal_components(images: Tensor) -> Tensor:
    """Return (D, C) orthonormal directions along which the images' middles vary most.

    A sample of them tells, by the products of images instead of pixels, of which there may be many
    more. Any orthonormal directions would give the same pairs, others only later.
    """
    sample = images[:: -(-len(images) // SAMPLE)]
    middles = PLAIN.middle(sample).flatten(1).double()
    middles -= middles.mean(dim=0)
    _, weights = torch.linalg.eigh(middles @ middles.T)
    directions: Tensor = torch.linalg.qr(middles.T @ weights[:, -COMPONENTS:].flip(1))[0]
    return directions.float()


def _project(images: Tensor, rows: Tensor, components: Tensor, way: _Way) -> Tensor:
    """Return the (N, C) coordinates of the middles of the images at N positions."""
    points = components.new_empty(len(rows), components.shape[1])
    for part, found in zip(rows.split(CHUNK), points.split(CHUNK), strict=True):
        middles = way.middle(images.index_select(0, part)).flatten(1).float()
        torch.mm(middles, components, out=found)
    return points


def _sort_alike(points: Tensor) -> Tensor:
    """Order points so that neighbours in the order lie near each other: halves of halves.

    Each part is halved along the direction in which it varies most.
    """

    def halve(rows: Tensor) -> Iterator[Tensor]:
        if len(rows) <= BLOCK:
            yield rows
            return
        part = points.index_select(0, rows)
        widest = int(part.var(dim=0).argmax())
        rows = rows.index_select(0, part[:, widest].argsort())
        # A whole number of blocks on the left, so that blocks and parts have the same ends.
        middle = -(-len(rows) // BLOCK) // 2 * BLOCK
        yield from halve(rows[:middle])
        yield from halve(rows[middle:])

    return torch.cat([*halve(torch.arange(len(points), device=points.device))])


def _compare(images: Tensor, pairs: Tensor, way: _Way) -> Tensor:
    """Return the (P,) distances of pairs of images, over all pixels that both have.

    Up to 2**24 sums of whole numbers are exact in float32, and what is near has smaller ones.
    """
    first, second = (images.index_select(0, rows) for rows in pairs.unbind(dim=1))
    differences = way.moved(first).float() - way.met(second).float()
    squares = differences.square_().flatten(1)
    return (squares.sum(dim=1).double() / squares.shape[1]).sqrt()


class _Found:
    """Pairs as they are found, each in several ways; only the best of each and the nearest stay."""

    def __init__(self, limit: float, most: int) -> None:
        self.limit, self._most, self._lock = limit, most, threading.Lock()
        self._pairs = np.empty((0, 2), np.int64)
        self._distances, self._ways = np.empty(0), np.empty(0, np.int64)
        self._count = 0
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.float64], int]] = []

    def add(self, pairs: NDArray[np.int64], distances: NDArray[np.float64], way: int) -> None:
        """Add (P, 2) positions that are so far apart in one of WAYS; called by many threads."""
        if not len(pairs):
            return
        with self._lock:
            self._waiting.append((pairs, distances, way))
            self._count += len(pairs)
            if self._count > self._most:
                self._tidy()

    def _tidy(self) -> None:
        """Keep the best way of each pair, and the nearest pairs."""
        waiting = [(self._pairs, self._distances, self._ways)] + [
            (pairs, distances, np.full(len(pairs), way)) for pairs, distances, way in self._waiting
        ]
        pairs, distances, ways = (np.concatenate(column) for column in zip(*waiting, strict=True))
        self._waiting.clear()
        self._count = 0
        low, high = pairs.min(axis=1), pairs.max(axis=1)
        order = np.lexsort((ways, distances, high, low))
        first = np.ones(len(order), bool)
        first[1:] = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
        kept = order[first]
        if len(kept) > self._most:
            nearest = np.partition(distances[kept], self._most)[self._most]
            self.limit = min(self.limit, float(np.nextafter(nearest, 0)))
            kept = kept[distances[kept] <= self.limit]
        self._pairs, self._distances, self._ways = pairs[kept], distances[kept], ways[kept]

    def best(self) -> Doubles:
        """Return all that was found, with the lower position first."""
        self._tidy()
        order = np.lexsort((self._pairs.max(axis=1), self._pairs.min(axis=1), self._distances))
        pairs, ways = self._pairs[order], [WAYS[way] for way in self._ways[order]]
        turned = pairs[:, 0] > pairs[:, 1]
        shifts = np.array([(way.down, way.right) for way in ways], np.int64).reshape(-1, 2)
        mirrored = np.array([way.mirrored for way in ways], bool)
        # What moves the second onto the first: back, but sideways not where it is mirrored too.
        shifts[turned, 0] *= -1
        shifts[turned & ~mirrored, 1] *= -1
        return Doubles(
            first=pairs.min(axis=1),
            second=pairs.max(axis=1),
            distance=self._distances[order],
            shift=shifts,
            mirrored=mirrored,
            limit=self.limit,
        )
