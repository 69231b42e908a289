"""Which pixels mattered to a model: cover them and see how much of its answer is lost.

The method is that of Zeiler and Fergus 2013, arXiv 1311.2901.
"""

import numpy as np
from numpy.typing import NDArray

from fashionbench.inference.predictor import Predictor

__all__ = ["occlusion_map"]

PATCH, STRIDE = 4, 2
"""Pixels a side of what is covered, and from one cover to the next."""
MOST = 100.0
"""Nats; beyond, a probability is 0 or 1 to the last digit."""


def occlusion_map(
    predictor: Predictor, image: NDArray[np.uint8], class_index: int, is_photo: bool = False
) -> NDArray[np.float64]:
    """Return the (28, 28) nats that each pixel of a (28, 28) image adds to a class.

    A black square covers one place of the image after another. What the class's log-probability
    loses by it is shared by the covered pixels, and a pixel gets the mean over all its covers.
    Positive pixels speak for the class, negative ones against it. Of a photo it is the model as
    fitted to photos that is asked.
    """
    corners = [
        (y, x)
        for y in range(0, image.shape[0] - PATCH + 1, STRIDE)
        for x in range(0, image.shape[1] - PATCH + 1, STRIDE)
    ]
    covered = np.repeat(image[None], len(corners) + 1, axis=0)  # the last stays as it is
    for cover, (y, x) in zip(covered, corners, strict=False):
        cover[y : y + PATCH, x : x + PATCH] = 0
    with np.errstate(divide="ignore"):
        chances = np.nan_to_num(
            np.log(predictor.predict_prepared(covered, is_photo)[:, class_index])
        )
    lost = np.clip(chances[-1] - chances[:-1], -MOST, MOST)
    total, covers = np.zeros(image.shape), np.zeros(image.shape)
    for loss, (y, x) in zip(lost, corners, strict=True):
        total[y : y + PATCH, x : x + PATCH] += loss
        covers[y : y + PATCH, x : x + PATCH] += 1
    return total / covers / PATCH**2
