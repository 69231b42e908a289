"""The drawn data set: the same every time, balanced, and neither trivial nor hopeless."""

import hashlib
import subprocess
import sys

import numpy as np

from fashionbench.silhouettes import SILHOUETTES, draw_silhouettes

PROGRAM = """
import hashlib
from fashionbench.silhouettes import draw_silhouettes
print(hashlib.sha256(b"".join(a.tobytes() for s in draw_silhouettes() for a in s)).hexdigest())
"""


def test_every_process_draws_the_same() -> None:
    here = b"".join(array.tobytes() for split in draw_silhouettes() for array in split)
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == hashlib.sha256(here).hexdigest()


def test_splits_are_balanced_and_share_no_image() -> None:
    (images, labels), (test_images, test_labels) = draw_silhouettes()
    assert images.shape == (6000, 28, 28)
    assert images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [600] * 10
    assert np.bincount(test_labels).tolist() == [100] * 10
    seen = {image.tobytes() for image in images}
    assert not any(image.tobytes() in seen for image in test_images)


def test_items_are_light_on_black_and_inside_the_frame() -> None:
    (images, _), _ = draw_silhouettes()
    assert images[:, 0, 0].max() == 0
    assert (images.max(axis=(1, 2)) > 60).all()
    assert 0.1 < (images > 0).mean() < 0.6


def test_no_name_passes_for_fashion_mnists() -> None:
    assert len(set(SILHOUETTES)) == 10
    assert all(name.startswith("drawn ") for name in SILHOUETTES)
