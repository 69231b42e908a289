"""Pictures in another size or other channels, and padded, not squashed."""

import numpy as np
import pytest
from PIL import Image

from fashionbench.core.shape import Shape
from fashionbench.data.resizing import fit_images, is_oblong, to_square


@pytest.mark.parametrize("size", [(20, 40), (40, 20)])
def test_a_picture_keeps_its_proportions(size: tuple[int, int]) -> None:
    """A square of red stays one, in the middle, between stripes of the ground's color."""
    picture = Image.new("RGB", size, (200, 220, 240))
    left, top = (side // 2 - 8 for side in size)
    picture.paste((255, 0, 0), (left, top, left + 16, top + 16))
    seen = to_square(picture, Shape(3, 40))
    assert seen.shape == (3, 40, 40)
    assert seen[:, 0, 0].tolist() == seen[:, -1, -1].tolist() == [200, 220, 240]
    red = (seen[0] == 255) & (seen[1] == 0)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert [rows[0], rows[-1], columns[0], columns[-1]] == [12, 27, 12, 27]


def test_a_square_is_resized_as_pillow_does_it() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8))
    grey = picture.convert("L").resize((28, 28), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(to_square(picture), np.asarray(grey))


def test_a_pixel_more_is_no_other_shape() -> None:
    assert [is_oblong(28, 28), is_oblong(28, 27), is_oblong(28, 26)] == [False, False, True]


def test_arrays_get_channels_and_size() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (2, 28, 28), np.uint8)
    assert fit_images(grey, Shape()) is grey
    color = fit_images(grey, Shape(3, 28))
    assert color.shape == (2, 3, 28, 28)
    assert all((color[:, channel] == grey).all() for channel in range(3))
    assert fit_images(color, Shape(3, 28)) is color
    np.testing.assert_array_equal(fit_images(color, Shape()), grey)
    assert fit_images(color, Shape(1, 32)).shape == (2, 32, 32)
