"""Your own augmentation, among those of the table; its file is part of what a run is.

fashionbench compare --models v2 --augmentation flip,examples/own_changes.py:fog:0.5
"""

from torch import Tensor


def fog(images: Tensor, uniform: Tensor, strength: float) -> Tensor:
    """(B, 1, H, W) images in [0, 1] and (B, 4) random numbers, uniform in [0, 1) -> images.

    The strength is what stands behind the last colon, or 1. Take what is random from `uniform`
    alone, so that the same seed sees the same images.
    """
    density = strength * uniform[:, :1, None, None]
    return images + density * (1 - images)
