"""A data set that the program draws itself: clothes-like shapes, for tests and for a first look.

It stands in where there is no network; it is not Fashion-MNIST and never goes by
that name. Deterministic: the same images in every process.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["SILHOUETTES", "draw_silhouettes"]

Outline = list[tuple[float, float]]
"""Corners of a polygon; x and y from -1 to 1, y downwards."""

SIZE, SUPERSAMPLING = 28, 4
TRAIN_PER_CLASS, TEST_PER_CLASS = 600, 100


def draw_silhouettes() -> tuple[
    tuple[NDArray[np.uint8], NDArray[np.uint8]], tuple[NDArray[np.uint8], NDArray[np.uint8]]
]:
    """Training and test arrays: (6000, 28, 28) and (1000, 28, 28) images with their labels."""
    return _split(TRAIN_PER_CLASS, seed=0), _split(TEST_PER_CLASS, seed=1)


def _split(per_class: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.Generator(np.random.PCG64(seed))
    labels = rng.permutation(np.repeat(np.arange(len(_SHAPES), dtype=np.uint8), per_class))
    shapes = list(_SHAPES.values())
    masks = np.stack([_draw(shapes[label](rng), rng) for label in labels])
    return _shade(masks, rng), labels


def _draw(outlines: list[Outline], rng: Generator) -> NDArray[np.uint8]:
    """Coverage of each pixel, 0 to 255, after a small random turn, stretch and shift."""
    angle = rng.normal(0, 0.06)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = rng.uniform(0.8, 1.02, 2)
    shift = rng.normal(0, 0.04, 2)
    canvas = Image.new("L", (SIZE * SUPERSAMPLING,) * 2)
    pen = ImageDraw.Draw(canvas)
    for outline in outlines:
        corners = (np.array(outline) * stretch) @ turn.T + shift
        pen.polygon([*map(tuple, (corners + 1) / 2 * canvas.width)], fill=255)
    return np.asarray(canvas.reduce(SUPERSAMPLING))


def _shade(masks: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    """Give each item a brightness, a fall of light, stripes now and then, and grain."""
    count = len(masks)
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]

    def one_each(low: float, high: float) -> NDArray[np.float64]:
        return rng.uniform(low, high, (count, 1, 1))

    light = one_each(0.45, 1) + one_each(-0.2, 0.2) * x + one_each(-0.2, 0.2) * y
    striped = one_each(0, 1) < 0.35
    waves = np.sin(one_each(6, 20) * np.where(one_each(0, 1) < 0.5, x, y) + one_each(0, 6))
    light = light * np.where(striped, 1 + 0.4 * waves, 1) + rng.normal(0, 0.08, masks.shape)
    return np.asarray(masks * np.clip(light, 0.08, 1)).astype(np.uint8)


def _mirrored(right_side: Outline) -> Outline:
    """A symmetric outline from its right half, given from top to bottom."""
    return right_side + [(-x, y) for x, y in reversed(right_side)]


def _top(rng: Generator, sleeve: float, hem: float, flare: float, neck: float) -> list[Outline]:
    """A garment with sleeves; `sleeve` and `hem` say how far down they reach."""
    shoulder, chest = rng.uniform(0.42, 0.55), rng.uniform(0.34, 0.46)
    reach = min(0.98, shoulder + 0.22 + 0.22 * sleeve + rng.normal(0, 0.03))
    end = -0.55 + sleeve * 1.1 + rng.normal(0, 0.05)
    width = rng.uniform(0.14, 0.22)
    body = _mirrored([(neck, -0.85), (shoulder, -0.75), (chest, -0.3), (chest + flare, hem)])
    arm: Outline = [(shoulder - 0.1, -0.78), (reach, end - 0.05), (reach - width, end + 0.08)]
    arm.append((chest - 0.05, -0.3))
    return [body, arm, [(-x, y) for x, y in arm]]


def _t_shirt(rng: Generator) -> list[Outline]:
    return _top(rng, rng.uniform(0.1, 0.3), rng.uniform(0.6, 0.85), 0.0, rng.uniform(0.12, 0.26))


def _pullover(rng: Generator) -> list[Outline]:
    return _top(rng, rng.uniform(0.85, 1.1), rng.uniform(0.55, 0.8), 0.0, rng.uniform(0.1, 0.22))


def _coat(rng: Generator) -> list[Outline]:
    return _top(rng, rng.uniform(0.9, 1.2), rng.uniform(0.78, 0.98), 0.08, rng.uniform(0.05, 0.2))


def _shirt(rng: Generator) -> list[Outline]:
    return _top(rng, rng.uniform(0.2, 1.0), rng.uniform(0.65, 0.95), 0.03, rng.uniform(0.04, 0.14))


def _dress(rng: Generator) -> list[Outline]:
    waist, hem = rng.uniform(0.18, 0.28), rng.uniform(0.35, 0.65)
    return [_mirrored([(0.2, -0.95), (0.3, -0.6), (waist, -0.2), (hem, 0.95)])]


def _trousers(rng: Generator) -> list[Outline]:
    hip, gap = rng.uniform(0.28, 0.42), rng.uniform(0.03, 0.16)
    ankle = gap + rng.uniform(0.14, 0.26)
    right: Outline = [(0, -0.95), (hip, -0.95), (ankle, 0.95), (gap, 0.95), (0, -0.35)]
    return [right, [(-x, y) for x, y in right]]


def _shoe(rng: Generator, collar: float) -> list[Outline]:
    """A shoe seen from its side, toe to the left; `collar` says how high it reaches."""
    toe = rng.uniform(0.12, 0.3)
    sole = rng.uniform(0.4, 0.5)
    return [
        [
            (-0.95, sole),
            (-0.85, sole - toe),
            (-0.1, sole - toe - rng.uniform(0.1, 0.2)),
            (rng.uniform(0.1, 0.3), -collar),
            (0.85, -collar + rng.normal(0, 0.04)),
            (0.92, sole),
        ]
    ]


def _sneaker(rng: Generator) -> list[Outline]:
    return _shoe(rng, rng.uniform(-0.05, 0.15))


def _boot(rng: Generator) -> list[Outline]:
    return _shoe(rng, rng.uniform(0.3, 0.95))


def _sandal(rng: Generator) -> list[Outline]:
    """A sole with straps, the gaps between them open."""
    heel = rng.uniform(0, 0.45)
    sole: Outline = [(-0.95, 0.35), (0.2, 0.3 - heel * 0.4), (0.9, 0.1 - heel), (0.95, 0.25 - heel)]
    sole += [(0.9, 0.5), (0.8, 0.5), (0.75, 0.35 - heel / 2), (-0.9, 0.5)]
    straps = []
    for start in rng.uniform([-0.8, -0.2, 0.4], [-0.5, 0.1, 0.6]):
        top = rng.uniform(-0.35, 0.0) - heel / 2
        straps.append(
            [(start, 0.35), (start + 0.2, top), (start + 0.32, top), (start + 0.14, 0.35)]
        )
    return [sole, *straps]


def _bag(rng: Generator) -> list[Outline]:
    width, top = rng.uniform(0.6, 0.95), rng.uniform(-0.45, 0.0)
    handle, strap, rise = rng.uniform(0.25, 0.5), 0.1, rng.uniform(0.25, 0.5)
    body = _mirrored([(width * rng.uniform(0.75, 1), top), (width, rng.uniform(0.5, 0.85))])
    side: Outline = [(handle, top), (handle - 0.1, top - rise), (0, top - rise)]
    side += [(0, top - rise + strap), (handle - 0.2, top - rise + strap), (handle - 0.12, top)]
    return [body, side, [(-x, y) for x, y in side]]


_SHAPES = {
    "drawn t-shirt": _t_shirt,
    "drawn trousers": _trousers,
    "drawn pullover": _pullover,
    "drawn dress": _dress,
    "drawn coat": _coat,
    "drawn sandal": _sandal,
    "drawn shirt": _shirt,
    "drawn sneaker": _sneaker,
    "drawn bag": _bag,
    "drawn boot": _boot,
}

SILHOUETTES = tuple(_SHAPES)
