"""The plots and pictures of an audit: one function each, nothing written anywhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fashionbench.report.audit_document import DoublePair, DoublesFound, ImagePlace
from fashionbench.report.sheets import draw_sheet
from fashionbench.report.style import COLORS, INK, WIDTH, add_legend, start_figure

__all__ = ["Pictures", "name_image", "plot_distances", "plot_pairs"]

Pictures = Mapping[str, NDArray[np.uint8]]
"""(N, H, W) images of "train" and "test"."""
GAP = 1
"""Pixels between the two images of a pair."""


def plot_distances(doubles: DoublesFound, title: str) -> Figure:
    """Draw how many pairs are so far apart, with the same label and with another."""
    figure, axes = start_figure(f"Pairs by their distance · {title}", WIDTH, 3.4)
    steps = doubles.distances
    edges = [*(step.above for step in steps), steps[-1].up_to]
    for counts, color, label in (
        ([step.same_label for step in steps], COLORS[0], "same label"),
        ([step.other_label for step in steps], COLORS[1], "other label"),
    ):
        axes.stairs(counts, edges, color=color, lw=1.8, label=label)
    axes.axvline(doubles.threshold, color=INK, lw=1, ls="--")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0)
    axes.set_xlabel("distance, grey levels (dashed: up to here a pair is called double)")
    axes.set_ylabel("pairs in a step")
    axes.grid(axis="y", alpha=0.25)
    add_legend(axes)
    return figure


def plot_pairs(pairs: Sequence[DoublePair], pictures: Pictures, title: str) -> Figure:
    """Draw the two images of each pair side by side, with their places, labels and distance."""
    return draw_sheet(
        np.stack([_side_by_side(pair, pictures) for pair in pairs]),
        [_describe(pair) for pair in pairs],
        5,
        title,
    )


def _side_by_side(pair: DoublePair, pictures: Pictures) -> NDArray[Any]:
    one, other = (pictures[place.split][place.position] for place in (pair.a, pair.b))
    gap = np.full((len(one), GAP), 255, np.uint8)
    return np.concatenate([one, gap, other], axis=1)


def _describe(pair: DoublePair) -> str:
    way = "exact" if pair.kind == "exact" else f"{pair.distance:.1f} grey levels"
    turned = ", mirrored" if pair.is_mirrored else ""
    moved = f", moved {pair.down:+d} {pair.right:+d}" if pair.down or pair.right else ""
    return "\n".join([name_image(pair.a), name_image(pair.b), way + turned + moved])


def name_image(place: ImagePlace) -> str:
    """Name an image by its place and label."""
    return f"{place.split} {place.position}: {place.label}"
