"""A data set that the program draws itself: clothes-like shapes, for tests and a first look.

It stands in where there are no files and no network. It is not Fashion-MNIST and never
goes by that name; its scores say nothing about Fashion-MNIST's. A drawing is a list of
layers, polygons one over the other, whose corners vary at random; then come a small
turn, stretch and shift, light, stripes and grain. The same bytes in every process.
"""

import math

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fashionbench.data.split import Arrays

__all__ = ["SILHOUETTES", "draw_silhouettes"]

Outline = list[tuple[float, float]]
"""Corners of a polygon; x and y from -1 to 1, y downwards."""
Layer = tuple[float, Outline]
"""How much light a polygon gives back, 0 (a hole) to 1 (cloth), and its outline."""

SIZE, SUPERSAMPLING = 28, 3
TRAIN_PER_CLASS, TEST_PER_CLASS = 600, 100


def draw_silhouettes() -> tuple[Arrays, Arrays]:
    """Draw 6,000 training and 1,000 test images, shuffled, ten classes alike."""
    return _draw_split(TRAIN_PER_CLASS, seed=0), _draw_split(TEST_PER_CLASS, seed=1)


def _draw_split(images_per_class: int, seed: int) -> Arrays:
    rng = Generator(PCG64(seed))
    labels = rng.permutation(np.repeat(np.arange(len(_GARMENTS), dtype=np.uint8), images_per_class))
    garments = list(_GARMENTS.values())
    drawings = np.stack([_draw(garments[label](rng), rng) for label in labels])
    return _shade(drawings, rng), labels


def _draw(layers: list[Layer], rng: Generator) -> NDArray[np.uint8]:
    """Draw the (28, 28) light that layers give back, after a small turn, stretch and shift."""
    turn, right, down = rng.normal(0, (0.07, 0.06, 0.06))
    wide, tall = rng.uniform(0.75, 1, 2)
    cos, sin = math.cos(turn), math.sin(turn)
    canvas = Image.new("L", (SIZE * SUPERSAMPLING,) * 2)
    pen, half = ImageDraw.Draw(canvas), canvas.width / 2
    for light, outline in layers:
        corners = [
            (
                half * (1 + right + wide * cos * x - tall * sin * y),
                half * (1 + down + wide * sin * x + tall * cos * y),
            )
            for x, y in outline
        ]
        pen.polygon(corners, fill=round(255 * light))
    light_given: NDArray[np.uint8] = np.asarray(canvas.reduce(SUPERSAMPLING))
    return light_given


def _shade(drawings: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    """Give each image its brightness, a fall of light, stripes now and then, and grain."""
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j].astype(np.float32)

    def one_each(low: float, high: float) -> NDArray[np.float32]:
        return rng.uniform(low, high, (len(drawings), 1, 1)).astype(np.float32)

    light = one_each(0.35, 1) + one_each(-0.15, 0.15) * x + one_each(-0.15, 0.15) * y
    across = np.where(one_each(0, 1) < 0.7, y, x)
    stripes = np.sin(one_each(8, 20) * across + one_each(0, 2 * math.pi))
    light *= 1 + np.where(one_each(0, 1) < 0.3, one_each(0.1, 0.4), 0) * stripes
    light += 0.05 * rng.standard_normal(drawings.shape, dtype=np.float32)
    shaded: NDArray[np.uint8] = (drawings * light.clip(0.1, 1)).astype(np.uint8)
    return shaded


def _mirrored(right_half: Outline) -> Outline:
    """Complete a symmetric outline from its right half, given from top to bottom."""
    return right_half + [(-x, y) for x, y in reversed(right_half)]


def _both_sides(light: float, outline: Outline) -> list[Layer]:
    return [(light, outline), (light, [(-x, y) for x, y in outline])]


def _bar(light: float, left: float, top: float, right: float, bottom: float) -> Layer:
    return light, [(left, top), (right, top), (right, bottom), (left, bottom)]


def _top(rng: Generator, sleeve: float, hem: float, neck: float) -> list[Layer]:
    """Draw what is worn above the waist; `sleeve` is 0 to 1, `hem` and `neck` are heights."""
    shoulder, chest, collar = rng.uniform((0.42, 0.34, 0.14), (0.54, 0.46, 0.24))
    reach = shoulder + 0.2 + 0.2 * sleeve + rng.normal(0, 0.03)
    cuff = -0.5 + 1.05 * sleeve + rng.normal(0, 0.05)
    width = rng.uniform(0.15, 0.24)
    hip = chest + rng.uniform(-0.02, 0.1)
    body = _mirrored([(0, neck), (collar, -0.88), (shoulder, -0.76), (chest, -0.3), (hip, hem)])
    arm: Outline = [(shoulder - 0.1, -0.8), (shoulder, -0.76), (reach, cuff - 0.06)]
    arm += [(reach - width, cuff + 0.06), (chest - 0.08, -0.25)]
    return [(1, body), *_both_sides(0.93, arm)]


def _t_shirt(rng: Generator) -> list[Layer]:
    sleeve, hem, neck = rng.uniform((0.05, 0.55, -0.8), (0.6, 0.9, -0.5))
    return _top(rng, sleeve, hem, neck)


def _pullover(rng: Generator) -> list[Layer]:
    """Long sleeves, and a knitted band at the hem."""
    sleeve, hem, neck, band = rng.uniform((0.5, 0.55, -0.84, 0.4), (1.1, 0.9, -0.7, 0.95))
    return [*_top(rng, sleeve, hem, neck), _bar(band, -0.34, hem - 0.16, 0.34, hem - 0.08)]


def _coat(rng: Generator) -> list[Layer]:
    """Long, open at the front from the lapels down."""
    sleeve, hem, gap, lapel = rng.uniform((0.5, 0.6, 0.015, -0.6), (1.15, 0.98, 0.06, 0.0))
    front = _mirrored([(0.12, -0.9), (gap, lapel), (gap, hem)])
    return [*_top(rng, sleeve, hem, -0.8), (rng.uniform(0, 0.8), front)]


def _shirt(rng: Generator) -> list[Layer]:
    """Sleeves of any length, a small collar, and a row of buttons."""
    sleeve, hem, shade = rng.uniform((0.1, 0.6, 0.2), (1.1, 0.95, 0.9))
    buttons = [_bar(shade, -0.05, y, 0.05, y + 0.1) for y in np.arange(-0.55, hem - 0.1, 0.24)]
    collar = _both_sides(shade, [(0.2, -0.92), (0.28, -0.78), (0.02, -0.58), (0.02, -0.7)])
    return [*_top(rng, sleeve, hem, -0.72), *buttons, *collar]


def _dress(rng: Generator) -> list[Layer]:
    """Narrow at the waist, wide at the hem; straps above, or short sleeves."""
    waist, hem, neck, bust = rng.uniform((0.18, 0.32, -0.85, 0.26), (0.3, 0.65, -0.5, 0.36))
    body = _mirrored(
        [(0, neck), (0.12, -0.95), (0.24, -0.95), (bust, -0.5), (waist, -0.15), (hem, 0.95)]
    )
    sleeve: Outline = [(0.2, -0.93), (0.5, -0.55), (0.38, -0.42), (0.22, -0.6)]
    return [(1, body), *(_both_sides(0.93, sleeve) if rng.random() < 0.4 else [])]


def _trousers(rng: Generator) -> list[Layer]:
    hip, gap, width, crotch = rng.uniform((0.28, 0.03, 0.14, -0.5), (0.44, 0.18, 0.28, -0.2))
    leg: Outline = [(0, -0.95), (hip, -0.95), (gap + width, 0.95), (gap, 0.95), (0, crotch)]
    return [*_both_sides(1, leg), _bar(0.6, -0.5 * hip, -0.88, 0.5 * hip, -0.82)]


def _shoe(rng: Generator, top: float, sole: float) -> list[Layer]:
    """Draw a shoe from its side, toe to the left; `top` and `sole` are heights."""
    toe, instep, ankle = rng.uniform((0.14, -0.25, 0.05), (0.28, 0.0, 0.3))
    outline = [(-0.95, sole), (-0.92, sole - toe * 0.7), (-0.75, sole - toe)]
    outline += [(instep, sole - toe - 0.15), (ankle, top), (0.8, top - 0.04), (0.92, sole)]
    return [(1, outline)]


def _sneaker(rng: Generator) -> list[Layer]:
    """Low, with a line above its thick sole, and laces."""
    top, sole, line, lace = rng.uniform((-0.3, 0.35, 0.4, 0), (0, 0.5, 0.9, 0.15))
    laces: list[Layer] = [
        (0, [(x, -0.5), (x + 0.05, -0.5), (x - 0.03, lace), (x - 0.08, lace)]) for x in (0, 0.2)
    ]
    return [*_shoe(rng, top, sole), *laces, _bar(line, -0.92, sole - 0.13, 0.88, sole - 0.07)]


def _boot(rng: Generator) -> list[Layer]:
    """High, on a heel."""
    top, sole, heel, arch = rng.uniform((-0.95, 0.45, 0.04, -0.3), (-0.1, 0.8, 0.2, 0.1))
    return [
        *_shoe(rng, top, sole),
        (0, [(arch, sole + 0.02), (0.4, sole - heel), (0.5, sole + 0.02)]),
    ]


def _sandal(rng: Generator) -> list[Layer]:
    """Draw a low shoe of which gaps leave straps and a sole, on a heel or flat."""
    top, sole, heel = rng.uniform((-0.35, 0.35, 0), (-0.05, 0.5, 0.3))
    starts = rng.uniform((-0.75, -0.3, 0.25), (-0.6, -0.1, 0.4))
    widths = rng.uniform(0.18, 0.34, 3)
    gaps: list[Layer] = [
        (0, [(x, sole - 0.1), (x + 0.12, -0.6), (x + width + 0.12, -0.6), (x + width, sole - 0.1)])
        for x, width in zip(starts, widths, strict=True)
    ]
    wedge: Outline = [(-0.2, sole), (0.92, sole - 0.1), (0.9, sole + heel), (0.7, sole + heel)]
    return [*_shoe(rng, top, sole), *gaps, (1, [*wedge, (0.6, sole + 0.05)])]


def _bag(rng: Generator) -> list[Layer]:
    """Draw a body, which may narrow upwards, with a flap under a handle."""
    width, slope, top, bottom = rng.uniform((0.6, 0.72, -0.4, 0.5), (0.95, 1, 0, 0.85))
    handle, rise, flap = rng.uniform((0.22, 0.2, 0.5), (0.5, 0.5, 0.9))
    body = _mirrored([(width * slope, top), (width, bottom)])
    outside, inside = (
        _mirrored([(handle - inset, top - rise + inset), (handle - inset + 0.08, top)])
        for inset in (0, 0.1)
    )
    return [
        (1, outside),
        (0, inside),
        (1, body),
        _bar(flap, -width * slope, top + 0.2, width * slope, top + 0.27),
    ]


_GARMENTS = {
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

SILHOUETTES = tuple(_GARMENTS)
"""Names of the classes, in the order of the labels."""
