"""The plots and pictures of an audit: one function each, nothing written anywhere."""

import base64
import io
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from numpy.typing import NDArray

from fashionbench.report.audit.audit_document import DoublePair, DoublesFound, ImagePlace, Suspect
from fashionbench.report.numbers import with_minus
from fashionbench.report.style import COLORS, INK, WIDTH, add_legend, start_figure

__all__ = ["Card", "Pictures", "name_image", "plot_distances", "show_pair", "show_suspect"]

Pictures = Mapping[str, NDArray[np.uint8]]
"""(N, H, W) images of "train" and "test", or (N, 3, H, W) in color."""
GAP = 1
"""Pixels between the two images of a pair."""


class Card(NamedTuple):
    """A picture on the page, and what is said of it."""

    address: str
    lines: list[str]


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
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.set_ylim(0)
    axes.set_xlabel("distance, grey levels (dashed: up to here a pair is called double)")
    axes.set_ylabel("pairs in a step")
    axes.grid(axis="y", alpha=0.25)
    add_legend(axes)
    return figure


def show_pair(pair: DoublePair, pictures: Pictures) -> Card:
    """Show the two images of a pair side by side, with their places, labels and distance."""
    one, other = (pictures[place.split][place.position] for place in (pair.a, pair.b))
    gap = np.full((*one.shape[:-1], GAP), 255, np.uint8)
    way = pair.kind if pair.kind != "near" else f"{pair.distance:.1f} grey levels"
    turned = ", mirrored" if pair.kind == "near" and pair.is_mirrored else ""
    moved = with_minus(f", moved {pair.down:+d} {pair.right:+d}") if pair.down or pair.right else ""
    return Card(
        _encode(np.concatenate([one, gap, other], axis=-1)),
        [name_image(pair.a), name_image(pair.b), way + turned + moved],
    )


def show_suspect(suspect: Suspect, pictures: Pictures) -> Card:
    """Show an image with the label that it has and the one that it seems to have."""
    place = suspect.image
    probability = f"{100 * suspect.probability:.2g} %"
    return Card(
        _encode(pictures[place.split][place.position]),
        [
            name_image(place),
            f"seems {suspect.seems}",
            f"{100 * suspect.disagreeing:.0f} % of runs disagree; its label gets {probability}",
        ],
    )


def _encode(image: NDArray[np.uint8]) -> str:
    """Return an image as the address of an <img> that holds it."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image if image.ndim == 2 else image.transpose(1, 2, 0)).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def name_image(place: ImagePlace) -> str:
    """Name an image by its place and label."""
    return f"{place.file or f'{place.split} {place.position}'}: {place.label}"
