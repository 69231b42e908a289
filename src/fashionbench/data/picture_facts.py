"""What is kept of the images that a model was trained on, to judge a picture that it is given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fashionbench.data.picture_reading import Levels

__all__ = ["PictureFacts", "measure_grounds", "picture_facts", "warn_of_ground"]

ENOUGH = 5000
"""Images, evenly chosen, that tell how all are."""
MIDDLE = 128
APART = 64
"""Grey levels between a picture's ground and those of the training images that leave no doubt."""


@dataclass(frozen=True)
class PictureFacts:
    """What is known of the images that a model was trained on."""

    ground: tuple[float, float] | None = None
    """The 5 % and 95 % quantiles of the grey level around the item; None where not known."""
    levels: Levels | None = None
    """What became black and white in pictures with more than 8 bits; None where all had 8."""


def picture_facts(images: NDArray[np.uint8], levels: Levels | None = None) -> PictureFacts:
    """Sum up (N, H, W) or (N, C, H, W) training images, whose pictures had these levels."""
    grounds = measure_grounds(images[:: 1 + len(images) // ENOUGH])
    if not len(grounds):
        return PictureFacts(levels=levels)
    low, high = np.quantile(grounds, (0.05, 0.95)).tolist()
    return PictureFacts((low, high), levels)


def measure_grounds(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Measure the median grey level along the border of each of (N, [C,] H, W) images: (N,)."""
    border = np.ones(images.shape[-2:], bool)
    border[1:-1, 1:-1] = False
    of_channels = np.median(images[..., border], axis=-1)
    return np.asarray(of_channels if images.ndim == 3 else of_channels.mean(axis=1))


def warn_of_ground(image: NDArray[np.uint8], facts: PictureFacts) -> tuple[str, ...]:
    """Say where an image is dark on light and the training images were not, or the reverse."""
    if facts.ground is None:
        return ()
    (darkest, lightest), ground = facts.ground, float(measure_grounds(image[None])[0])
    if lightest < MIDDLE <= ground and ground - lightest > APART:
        this, others = "dark on light", "light on dark"
    elif ground < MIDDLE <= darkest and darkest - ground > APART:
        this, others = "light on dark", "dark on light"
    else:
        return ()
    contrast = f"The picture is {this}, but the model was trained on pictures that are {others}"
    return (f"{contrast}, so do not rely on the answer; exchange black and white in the picture.",)
