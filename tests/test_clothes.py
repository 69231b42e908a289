"""Clothes as they lie: arms and legs move as they should, and nothing else does."""

import math

import pytest
import torch
from factories import uniform
from scipy import stats
from torch import Tensor

from fashionbench.training.augment import augment
from fashionbench.training.clothes import CLOTHES

SIDE = 28


def item(*rectangles: tuple[int, int, int, int]) -> Tensor:
    """(1, 1, 28, 28): rectangles of rows and columns, from and to, at 0.6."""
    image = torch.zeros(1, 1, SIDE, SIDE)
    for top, bottom, left, right in rectangles:
        image[..., top:bottom, left:right] = 0.6
    return image


TROUSERS = item((0, 12, 8, 20), (12, 28, 8, 12), (12, 28, 16, 20))
TSHIRT = item((0, 28, 9, 19), (1, 9, 4, 24))
PULLOVER = item((0, 28, 9, 19), (1, 26, 3, 8), (1, 26, 20, 25), (1, 4, 3, 25))
SHOE = item((14, 24, 2, 26), (8, 14, 16, 26))
BAG = item((8, 26, 2, 26))


def changed(name: str, strength: float, image: Tensor, *u: float, room: int = 14) -> Tensor:
    """The image by one augmentation, with black around it, where nothing is cut off."""
    padded = torch.nn.functional.pad(image, (room,) * 4)
    return augment(padded, torch.tensor([u]), [(name, strength)])


def box(image: Tensor) -> tuple[int, int, int, int]:
    inside = image[0, 0] > 0.3
    rows, columns = (torch.nonzero(inside.any(dim=axis)).flatten() for axis in (1, 0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def test_long_arms_are_turned_outwards_until_they_lie_straight() -> None:
    widths = []
    for share in (0.0, 0.5, 0.75, 0.999):
        top, bottom, left, right = box(changed("arms", 90, PULLOVER, share, 0.0, 0.5))
        widths.append((right - left) / (bottom - top))
    assert widths[0] == pytest.approx(22 / 28)
    assert widths == sorted(widths)
    # A body of 10 between arms of 25, of which a part lies above the shoulder.
    assert 1.6 < widths[-1] < 2.3


def test_one_arm_may_be_lifted_higher_than_the_other_but_the_body_stays() -> None:
    spread = changed("arms", 60, PULLOVER, 0.999, 0.999, 0.5)
    assert (spread - spread.flip(-1)).abs().mean() > 0.2 * spread.mean()
    middle = spread.shape[-1] // 2
    inside = spread[0, 0, :, middle] > 0.3
    height = int(inside.sum())
    assert height > 12  # zoomed out until both arms fit in
    body = spread[0, 0, inside, middle - height // 8 : middle + height // 8]
    assert (body - 0.6).abs().mean() < 0.05


def test_short_sleeves_are_lifted_and_the_hem_stays_as_wide() -> None:
    lowest = []
    for share in (0.0, 0.999):
        spread = changed("arms", 80, TSHIRT, share, 0.0, 0.5)
        top, bottom, left, _ = box(spread)
        hem = (spread[0, 0, bottom - 4] > 0.3).sum()
        assert hem / (bottom - top) == pytest.approx(10 / 28, abs=0.06)
        sleeve = torch.nonzero((spread[0, 0, :, left : left + 3] > 0.3).any(dim=1)).flatten()
        lowest.append((int(sleeve[-1]) - top) / (bottom - top))
    assert lowest[0] == pytest.approx(8 / 28, abs=0.01)
    assert lowest[1] < 6 / 28


@pytest.mark.parametrize("image", [TROUSERS, SHOE], ids=["trousers", "shoe"])
def test_what_has_no_arms_keeps_its_shape(image: Tensor) -> None:
    found = changed("arms", 80, image, 0.999, 0.0, 0.5)
    assert torch.equal(found, torch.nn.functional.pad(image, (14,) * 4))


def test_legs_are_sheared_apart_below_the_waist() -> None:
    spread = changed("legs", 0.3, TROUSERS, 0.999)
    gap = [int((spread[0, 0, 14 + row, 14:42] <= 0.3)[8:20].sum()) for row in (6, 16, 26)]
    assert gap[0] == 0
    assert 4 < gap[1] < gap[2]
    assert float(spread.sum()) == pytest.approx(float(TROUSERS.sum()), rel=0.05)
    for other in (TSHIRT, SHOE, BAG):
        assert torch.equal(changed("legs", 0.3, other, 0.999), changed("legs", 0, other, 0.0))


def test_a_second_item_lies_beside_the_first_as_often_as_asked_for() -> None:
    images = torch.nn.functional.pad(BAG, (6,) * 4).repeat(2000, 1, 1, 1)
    found = augment(images, uniform(2000, 5), [("beside", 0.3)])
    inside = images > 0
    assert torch.equal(found[inside], images[inside])
    count = int((found != images).flatten(1).any(1).sum())
    assert 0.5 * 0.3 < count / 2000 <= 0.3 + 0.05  # some lie outside
    assert found.max() <= 1


def test_an_outline_loses_a_part_or_gains_a_piece() -> None:
    images = PULLOVER.repeat(2000, 1, 1, 1)
    found = augment(images, uniform(2000, 6), [("outline", 0.4)])
    lost = ((images > 0) & (found == 0)).flatten(1).any(1)
    gained = ((images == 0) & (found > 0)).flatten(1).any(1)
    assert not (lost & gained).any()
    for some in (lost, gained):
        assert 0.05 < some.float().mean() < 0.25
    kept = (images > 0) & (found > 0)
    assert torch.equal(found[kept], images[kept])


def test_a_hook_stands_above_what_is_upright() -> None:
    found = changed("hook", 1, TSHIRT, 0.0, 0.5, 0.5, 0.5)
    drawn = found != torch.nn.functional.pad(TSHIRT, (14,) * 4)
    top, bottom, left, right = box(drawn.float())
    assert 14 - 10 < top < bottom <= 14 + 1
    assert abs((left + right) / 2 - 28) <= 2
    assert torch.equal(
        changed("hook", 1, SHOE, 0.0, 0.5, 0.5, 0.5), changed("hook", 0, SHOE, *[0.5] * 4)
    )


@pytest.mark.parametrize(("height", "width"), [(20, 10), (12, 30), (28, 28), (34, 17)])
def test_an_item_is_cut_out_and_fills_the_image(height: int, width: int) -> None:
    image = torch.zeros(1, 1, 40, 40)
    image[..., 3 : 3 + height, 5 : 5 + width] = 0.6
    fitted = CLOTHES["fit"][1](image, torch.empty(1, 0), 6)
    assert fitted.shape == (1, 1, SIDE, SIDE)
    top, bottom, left, right = box(fitted)
    longer = max(height, width)
    assert bottom - top == pytest.approx(SIDE * height / longer, abs=1)
    assert right - left == pytest.approx(SIDE * width / longer, abs=1)
    assert (top + bottom, left + right) == (pytest.approx(SIDE, abs=1), pytest.approx(SIDE, abs=1))


def test_what_comes_before_fit_has_room_and_the_image_keeps_its_size() -> None:
    """Turned by 45 degrees a square is cut off, unless there is room; then it is made to fit."""
    square, turn = item((0, 28, 0, 28)), torch.full((1, 1), 0.999999)
    cut = augment(square, turn, [("rotate", 45)])
    whole = augment(square, turn, [("rotate", 45), ("fit", 6)])
    assert whole.shape == square.shape
    assert (cut > 0.3).float().mean() == pytest.approx(2 * (math.sqrt(2) - 1), abs=0.03)
    assert (whole > 0.3).float().mean() == pytest.approx(0.5, abs=0.05)
    assert torch.equal(augment(square, torch.empty(1, 0), [("fit", 6)]) > 0.3, square > 0.3)


def test_folds_shade_the_item_and_leave_black_black() -> None:
    images = PULLOVER.repeat(500, 1, 1, 1)
    found = augment(images, uniform(500, 12), [("folds", 0.3)])
    assert torch.equal(found > 0, images > 0)
    light = (found / images.clamp(min=0.1))[images > 0]
    assert light.mean() == pytest.approx(1, abs=0.03)
    assert 0.05 < light.std() < 0.3
    assert torch.equal(augment(images, uniform(500, 12), [("folds", 0)]), images)


def test_three_of_four_images_get_a_photos_grey_levels() -> None:
    images = PULLOVER.repeat(2000, 1, 1, 1)
    images[..., 14:, :] *= 0.5
    u = uniform(2000, 2)
    found = augment(images, u, [("levels", 0.5)])
    same = (found == images).flatten(1).all(1)
    assert stats.binomtest(int(same.sum()), 2000, 0.25).pvalue > 1e-4
    inside = images > 0
    assert torch.equal(found > 0, inside)
    means = (found.sum(dim=(1, 2, 3)) / inside.sum(dim=(1, 2, 3)))[~same]
    assert means.mean() == pytest.approx(170 / 255, abs=0.01)
    contrast = (found[:, 0, 10, 14] - found[:, 0, 20, 14])[~same]
    assert contrast.min() < 0.3 < contrast.max()
