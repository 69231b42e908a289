"""PNG files that commands draw by themselves: samples of a data set, what a recipe does."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fashionbench.config.augmentations import AUGMENTATIONS, MIXINGS, parse_augmentation
from fashionbench.config.recipe import Recipe
from fashionbench.config.schedules import SCHEDULES
from fashionbench.core.files import write_atomically
from fashionbench.data.datasets import dataset_entry, load_arrays
from fashionbench.errors import UsageError
from fashionbench.report.plots import plot_schedule
from fashionbench.report.sheets import plot_augmentations, plot_samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_augmentations", "write_samples", "write_schedule"]

DRAWS = 10
"""Augmented images beside each original."""
STEPS_AN_EPOCH = 100
"""Points of a drawn schedule; an epoch of training has as many steps as it has batches."""
SIDED = {"flip", "pair"}
"""Augmentations that show only on an image whose sides differ."""


def write_samples(
    dataset: str,
    data_dir: Path | None,
    target: Path,
    channels: int | None = None,
    size: int | None = None,
) -> None:
    """Write a PNG of ten training images a class. Raises StoreError if it cannot be written."""
    (images, labels), _ = load_arrays(dataset, data_dir, channels=channels, size=size)
    entry = dataset_entry(dataset)
    _write_png(plot_samples(images, labels, entry.classes, entry.title), target)


def write_schedule(recipe: Recipe, target: Path) -> None:
    """Write a PNG of the recipe's learning rate over its epochs.

    Raises UsageError for a recipe that trains nothing.
    """
    if recipe.epochs == 0:
        raise UsageError(f"The recipe {recipe.name} has 0 epochs, so no learning rate to draw.")
    steps = range(recipe.epochs * STEPS_AN_EPOCH)
    shape = None
    if recipe.schedule not in SCHEDULES:
        from fashionbench.training.own_parts import find_schedule  # brings torch

        shape = find_schedule(recipe)
    rates = [recipe.learning_rate_at(step, STEPS_AN_EPOCH, shape) for step in steps]
    epochs = [step / STEPS_AN_EPOCH for step in steps]
    _write_png(plot_schedule(epochs, rates, recipe.name), target)


def write_augmentations(recipe: Recipe, dataset: str, data_dir: Path | None, target: Path) -> None:
    """Write a PNG of what each of the recipe's augmentations does to a few training images.

    Raises UsageError for a recipe without augmentation, or with one that does not work.
    """
    from fashionbench.training.own_augmentations import identify_augmentations

    identify_augmentations(recipe.augmentation)
    chain = [parse_augmentation(text, AUGMENTATIONS) for text in recipe.augmentation]
    if not chain and recipe.mixing is None:
        raise UsageError(
            f"The recipe {recipe.name} leaves images as they are; add some augmentation, such as "
            "augmentation = ['flip', 'shift:2']."
        )
    entry = dataset_entry(dataset)
    (images, labels), _ = load_arrays(dataset, data_dir)
    classes = range(len(entry.classes))
    chosen = [images[labels == k][:DRAWS] for k in classes]
    singles = [(f"{change}:{strength:g}", [(change, strength)]) for change, strength in chain]
    together = [("all of them", chain)] if len(chain) > 1 else []
    rows = [
        (label, _augment_often(_choose(chosen, k, part), part))
        for k, (label, part) in enumerate(singles + together)
    ]
    if recipe.mixing is not None:
        mixed = np.stack([_pick_nth(chosen, k) for k in range(DRAWS)])
        rows.append((recipe.mixing, _mix_pairs(mixed, recipe.mixing)))
    title = f"Recipe “{recipe.name}”: augmented images of {entry.title}"
    _write_png(plot_augmentations(rows, title), target)


def _choose(
    chosen: Sequence[NDArray[np.uint8]], row: int, chain: Sequence[tuple[str, float]]
) -> NDArray[np.uint8]:
    """Choose the image of a row: one of each class in turn, or the one whose sides differ most."""
    if {change for change, _ in chain} & SIDED:
        return max((images[0] for images in chosen), key=_measure_sides)
    return np.asarray(chosen[row % len(chosen)][0])


def _measure_sides(image: NDArray[np.uint8]) -> float:
    """Return how unlike its mirror image an image is: a shoe is, a T-shirt is not."""
    grey = image.astype(float)
    return float(np.abs(grey - grey[..., ::-1]).mean())


def _pick_nth(chosen: Sequence[NDArray[np.uint8]], k: int) -> NDArray[np.uint8]:
    """Return the k-th image, taking one of each class in turn."""
    of_class = chosen[k % len(chosen)]
    image: NDArray[np.uint8] = of_class[k // len(chosen) % len(of_class)]
    return image


def _augment_often(
    image: NDArray[np.uint8], chain: Sequence[tuple[str, float]]
) -> NDArray[np.uint8]:
    """Return (1 + DRAWS, H, W): the (H, W) image, then random augmentations of it."""
    import torch

    from fashionbench.core.logits import pixels
    from fashionbench.training.augment import augment, draw

    copies = pixels(torch.tensor(image)[None]).repeat(DRAWS, 1, 1, 1)
    changed = augment(copies, draw(chain, DRAWS, seed=0, epoch=0), chain)
    return np.stack([image, *_to_bytes(changed)])


def _mix_pairs(images: NDArray[np.uint8], mixing: str) -> NDArray[np.uint8]:
    """Return (1 + DRAWS, H, W): the first of (N, H, W) images, then each mixed with the next."""
    import torch

    from fashionbench.core.logits import pixels
    from fashionbench.training.mixing import mix

    x = pixels(torch.tensor(images))
    uniform = torch.rand(len(x), 3, generator=torch.Generator().manual_seed(0))
    name, strength = parse_augmentation(mixing, MIXINGS)
    mixed, _ = mix(name, x, x.roll(-1, 0), uniform, strength)
    return np.stack([images[0], *_to_bytes(mixed)])[: DRAWS + 1]


def _to_bytes(images: Any) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = (images * 255).round().byte().numpy()
    return found[:, 0] if found.shape[1] == 1 else found


def _write_png(figure: "Figure", target: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, facecolor="white")
    write_atomically(target, buffer.getvalue())
