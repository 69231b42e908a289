"""Which pixels mattered to a model: cover them and see how much of its answer is lost.

The method is that of Zeiler and Fergus 2013, arXiv 1311.2901.
"""

import math
from itertools import product
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from fashionbench.inference.predictor import Predictor

__all__ = ["occlusion_map"]

PATCHES, STRIDES = 7, 14
"""How often what is covered, and the step from one cover to the next, fit into an image's side."""
MOST = 100.0
"""Nats; beyond, a probability is 0 or 1 to the last digit."""


def occlusion_map(
    predictor: Predictor, image: NDArray[np.uint8], class_index: int, is_photo: bool = False
) -> NDArray[np.float64]:
    """Return the (H, H) nats that each pixel of an (H, H) image, or (3, H, H), adds to a class.

    A square as bright as the ground of the training images, of Fashion-MNIST black, covers one
    place of the image after another. What the class's log-probability loses by it is shared by the
    covered pixels, and a pixel gets the mean over all its covers. Positive pixels speak for the
    class, negative ones against it. Of a photo it is the model as fitted to photos that is asked.
    """
    side = image.shape[-1]
    patch = max(1, round(side / PATCHES))
    steps = math.ceil((side - patch) / max(1, side / STRIDES))
    starts = np.linspace(0, side - patch, steps + 1).round().astype(int).tolist()
    corners = list(product(starts, starts))
    covered = np.repeat(image[None], len(corners) + 1, axis=0)  # the last stays as it is
    ground = fmean(predictor.pictures.ground or (0,))
    for cover, (y, x) in zip(covered, corners, strict=False):
        cover[..., y : y + patch, x : x + patch] = round(ground)
    with np.errstate(divide="ignore"):
        chances = np.nan_to_num(
            np.log(predictor.predict_prepared(covered, is_photo)[:, class_index])
        )
    lost = np.clip(chances[-1] - chances[:-1], -MOST, MOST)
    total, covers = np.zeros((2, side, side))
    for loss, (y, x) in zip(lost, corners, strict=True):
        total[y : y + patch, x : x + patch] += loss
        covers[y : y + patch, x : x + patch] += 1
    return np.asarray(total / covers / patch**2)
