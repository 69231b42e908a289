"""Your own augmentation, beside the built-in ones.

fashionbench compare --models v2 --augmentation flip,examples/own_augmentation.py:fog:0.5
"""

from torch import Tensor


def fog(images: Tensor, uniform: Tensor, strength: float) -> Tensor:
    """Return the images with fog of random density.

    The images are (B, 1, H, W) in [0, 1]; `uniform` holds (B, 4) random numbers in [0, 1). The
    strength is the number after the last colon, or 1. Take all randomness from `uniform`, so that
    the same seed sees the same images.
    """
    density = strength * uniform[:, :1, None, None]
    return images + density * (1 - images)
