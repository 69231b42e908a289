"""AUGMENTATIONS and MIXINGS: what a recipe may do to images, and how strongly. No torch in here.

augment.py does it; this table says what there is, so that a recipe is checked where it is made.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["AUGMENTATIONS", "MIXINGS", "Augmentation", "own_augmentations", "parse_augmentation"]


@dataclass(frozen=True)
class Augmentation:
    """What is done to images, what its strength means, and the strengths that are allowed."""

    description: str
    strength: float
    """Where a recipe does not say: the usual one."""
    low: float
    high: float


AUGMENTATIONS = {
    "flip": Augmentation("mirrored, with this probability", 0.5, 0, 1),
    "alternating-flip": Augmentation(
        "this share of images mirrored in every other epoch (Jordan 2024, arXiv 2404.00498)",
        *(1, 0, 1),
    ),
    "shift": Augmentation("moved by up to this many pixels each way; black moves in", 2, 1, 14),
    "crop": Augmentation("a part with at least this share of the side, enlarged", 0.8, 0.2, 1),
    "rotate": Augmentation("turned by up to this many degrees either way", 10, 0, 180),
    "scale": Augmentation("enlarged or reduced by up to this share", 0.1, 0, 1),
    "stretch": Augmentation("made wider or narrower by up to this share", 0.2, 0, 1),
    "erase": Augmentation(
        "a rectangle filled with noise, with this probability (Zhong et al. 2017, "
        "arXiv 1708.04896)",
        *(0.5, 0, 1),
    ),
    "cutout": Augmentation(
        "a black square with sides of this many pixels, cut off at the border (DeVries and "
        "Taylor 2017, arXiv 1708.04552)",
        *(8, 1, 28),
    ),
    "invert": Augmentation("black for white, with this probability", 0.5, 0, 1),
    "brightness": Augmentation("made brighter or darker by up to this share", 0.2, 0, 1),
    "contrast": Augmentation("contrast raised or lowered by up to this share", 0.2, 0, 1),
    "shade": Augmentation(
        "lit unevenly, as folded cloth: by up to this share more or less", 0.3, 0, 1
    ),
    "pair": Augmentation(
        "turned upright, with its mirror image beside it, as shoes stand; with this probability",
        *(0.2, 0, 1),
    ),
    "noise": Augmentation("Gaussian noise of this sd, where white is 1", 0.05, 0, 1),
    "arms": Augmentation(
        "arms of upright items turned outwards at the shoulder by up to this many degrees",
        60,
        0,
        90,
    ),
    "legs": Augmentation("legs apart, each by up to this share of its length", 0.3, 0, 1),
    "beside": Augmentation(
        "a part of a second item at the border, with this probability: a turned copy", 0.2, 0, 1
    ),
    "outline": Augmentation(
        "a part cut off or a piece of the ground kept, as masks of photos have it, with this "
        "probability",
        *(0.3, 0, 1),
    ),
    "hook": Augmentation("a hanger's hook above, with this probability", 0.1, 0, 1),
    "fit": Augmentation(
        "so many pixels of black around it for what comes before, and cut to the item again here, "
        "as photos are",
        *(6, 0, 28),
    ),
    "folds": Augmentation(
        "three folds across it, lighter and darker by up to this share", 0.3, 0, 1
    ),
    "levels": Augmentation(
        "three of four images given a photo's grey levels, with up to this much more or less "
        "contrast",
        *(0.5, 0, 2),
    ),
}

MIXINGS = {
    "mixup": Augmentation(
        "two images laid over each other; shares from Beta(a, a) (Zhang et al. 2017, "
        "arXiv 1710.09412)",
        *(0.2, 0.01, 10),
    ),
    "cutmix": Augmentation(
        "a rectangle from another image; shares from Beta(a, a) (Yun et al. 2019, "
        "arXiv 1905.04899)",
        *(1, 0.01, 10),
    ),
}

_OWN = Augmentation("a person's own", 1, -math.inf, math.inf)
_OWN_NAME = re.compile(r"(.+\.py:\w+)(?::(.*))?")


def own_augmentations(augmentation: Sequence[str]) -> list[str]:
    """List the references of a person's own augmentations, `file.py:name`, among a recipe's."""
    return [found[1] for text in augmentation if (found := _OWN_NAME.fullmatch(text))]


def parse_augmentation(text: str, table: Mapping[str, Augmentation]) -> tuple[str, float]:
    """Parse "shift:3", "shift" alone or "file.py:name:3": a name and a strength.

    Raises ValueError, in a clause that says what is allowed.
    """
    own = _OWN_NAME.fullmatch(text) if table is AUGMENTATIONS else None
    if own:
        name, number = own.groups()
    else:
        name, colon, rest = text.partition(":")
        number = rest if colon else None
    if own is None and name not in table:
        instead = ", and file.py:name for one of your own" if table is AUGMENTATIONS else ""
        raise ValueError(f"there is no {name!r}; there are {', '.join(table)}{instead}")
    entry = _OWN if own else table[name]
    try:
        strength = entry.strength if number is None else float(number)
    except ValueError:
        raise ValueError(f"{number!r} is no strength of {name}; give a number") from None
    if not entry.low <= strength <= entry.high:
        raise ValueError(
            f"{name} takes {entry.low:g} to {entry.high:g}, not {strength:g}: {entry.description}"
        )
    return name, strength
