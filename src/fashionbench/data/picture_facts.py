"""What is kept of the images that a model was trained on, to judge a picture that it is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashionbench.data.picture_reading import Levels

__all__ = ["grounds_of", "levels_of", "picture_facts", "warn_of_ground"]

ENOUGH = 5000
"""Images, evenly chosen, that tell how all are."""
MIDDLE = 128
APART = 64
"""Grey levels between a picture's ground and those of the training images that leave no doubt."""


def picture_facts(images: NDArray[np.uint8], levels: Levels | None = None) -> dict[str, Any]:
    """Sum up (N, 28, 28) training images, as JSON has it.

    `ground` holds the 5 % and 95 % quantiles of the grey level around the item, `levels` what
    became black and white in pictures with more than 8 bits, None where there were none.
    """
    grounds = grounds_of(images[:: 1 + len(images) // ENOUGH])
    ground = np.quantile(grounds, (0.05, 0.95)).tolist() if len(grounds) else None
    return {"ground": ground, "levels": None if levels is None else list(levels)}


def grounds_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, H, W) images -> (N,) the median grey level along the border of each."""
    border = np.ones(images.shape[1:], bool)
    border[1:-1, 1:-1] = False
    return np.asarray(np.median(images[:, border], axis=1))


def levels_of(facts: Mapping[str, Any]) -> Levels | None:
    """Give the levels that `picture_facts` kept; None where they are not known."""
    black, white = facts.get("levels") or (None, None)
    return None if black is None or white is None else (black, white)


def warn_of_ground(image: NDArray[np.uint8], facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Say where an image is dark on light and the training images were not, or the reverse."""
    if not facts.get("ground"):
        return ()
    (darkest, lightest), ground = facts["ground"], float(grounds_of(image[None])[0])
    if lightest < MIDDLE <= ground and ground - lightest > APART:
        this, others = "dark on light", "light on dark"
    elif ground < MIDDLE <= darkest and darkest - ground > APART:
        this, others = "light on dark", "dark on light"
    else:
        return ()
    told = f"The picture is {this}, but the model was trained on pictures that are {others}"
    return (f"{told}, so do not rely on the answer; exchange black and white in the picture.",)
