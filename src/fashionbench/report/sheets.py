"""Sheets of images with captions: the hardest test images, samples, what augmentations do."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fashionbench.report.entries import NamedRuns
from fashionbench.report.flips import Flips
from fashionbench.report.style import INK, start_figure
from fashionbench.store.records import TestSet

__all__ = ["plot_augmentations", "plot_flips", "plot_hard_images", "plot_samples"]

FLIPS = 16
"""The most images that are shown for each of two models."""


def plot_hard_images(entries: NamedRuns, test_set: TestSet, count: int = 24) -> Figure:
    """Draw the test images that most runs get wrong, under their true and their usual class.

    Of those that as many runs get wrong, the ones of the highest mean loss come first.
    """
    predicted = np.stack([run.predicted for _, runs in entries for run in runs])
    wrong = (predicted != test_set.labels).sum(axis=0)
    losses = np.mean([run.losses for _, runs in entries for run in runs], axis=0, dtype=float)
    order = np.lexsort((-np.nan_to_num(losses, nan=np.inf), -wrong))
    hardest = order[: min(count, np.count_nonzero(wrong))]
    always = int(np.count_nonzero(wrong == len(predicted)))
    captions = []
    for index in hardest:
        calls = predicted[:, index]
        taken = test_set.classes[np.bincount(calls[calls != test_set.labels[index]]).argmax()]
        true = test_set.classes[test_set.labels[index]]
        captions.append(f"{true}\n→ {taken}\n{wrong[index]} of {len(predicted)}")
    return _draw_sheet(
        test_set.images[hardest],
        captions,
        8,
        f"{always:,} images are missed by all {len(predicted)} runs; shown: the {len(hardest)} "
        f"hardest · {test_set.title}",
    )


def plot_flips(flips: Flips, test_set: TestSet) -> Figure:
    """Draw images that only the first of two models gets right, then those of the second."""
    found = [flips.clearest(which, FLIPS) for which in (0, 1)]
    columns, images, captions = 8, [], list[str]()
    for chosen in found:
        blank = -len(chosen) % columns
        shape = (blank, *test_set.images.shape[1:])
        images += [test_set.images[chosen], np.zeros(shape, test_set.images.dtype)]
        captions += [
            f"{test_set.classes[test_set.labels[index]]}\n"
            + ", ".join(f"{100 * share[index]:.0f} %" for share in flips.shares)
            for index in chosen
        ]
        captions += [""] * blank
    counts = [np.count_nonzero(flips.only(which)) for which in (0, 1)]
    title = (
        f"Only {flips.first} is right ({counts[0]} images), then only {flips.second} ({counts[1]}) "
        f"· {test_set.title}"
    )
    return _draw_sheet(np.concatenate(images), captions, columns, title)


def plot_samples(
    images: NDArray[np.uint8], labels: NDArray[Any], classes: Sequence[str], title: str
) -> Figure:
    """Draw a row of ten images for each class, the first of the data set."""
    blank = np.zeros((10, *images.shape[1:]), images.dtype)  # for what a small class lacks
    rows = [np.concatenate([images[labels == k][:10], blank])[:10] for k in range(len(classes))]
    captions = ["" if i % 10 else classes[i // 10] for i in range(10 * len(classes))]
    return _draw_sheet(np.concatenate(rows), captions, 10, f"Samples · {title}")


def plot_augmentations(rows: Sequence[tuple[str, NDArray[np.uint8]]], title: str) -> Figure:
    """Draw a row for each augmentation: an image, then what was made of it, under its name."""
    count = len(rows[0][1])
    captions = [
        "original" if k == row == 0 else label if k == 1 else ""
        for row, (label, _) in enumerate(rows)
        for k in range(count)
    ]
    return _draw_sheet(np.concatenate([images for _, images in rows]), captions, count, title)


def _draw_sheet(
    images: NDArray[np.uint8], captions: Sequence[str], columns: int, title: str
) -> Figure:
    """Draw images in rows, each under its caption, as one picture: quicker than many axes."""
    rows = -(-len(images) // columns)
    height, width = images.shape[-2:]
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    cell_height, cell_width = round(height * (1.1 + 0.16 * lines)), round(width * 1.15)
    in_color = images.ndim == 4
    # Red, green, blue, and whether there is an image at all.
    size = (rows * cell_height, columns * cell_width, *([4] if in_color else []))
    sheet = np.ma.MaskedArray(np.zeros(size, np.uint8), mask=not in_color)
    figure, axes = start_figure(title, columns * 1.15, 0.6 + rows * 1.15 * cell_height / cell_width)
    axes.set_axis_off()
    for position, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(position, columns)
        bottom, left = (row + 1) * cell_height, column * cell_width
        shown = image
        if in_color:
            shown = np.concatenate([np.moveaxis(image, 0, -1), np.full((height, width, 1), 255)], 2)
        sheet[bottom - height : bottom, left : left + width] = shown
        axes.text(left, bottom - height - 1, caption, size=8, va="bottom", color=INK)
    if rows:
        axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="none")
    return figure
