"""The space in which settings are searched: its ranges, and points that fill it."""

import numpy as np
import pytest
from scipy.stats import qmc

from fashionbench.config.search_space import Range, halton
from fashionbench.errors import UsageError


def read(text: str) -> Range:
    return Range.parse(text, relative=False, where="tune.lr")


def test_a_range_is_read_as_people_write_it() -> None:
    assert read("log 1/32..32") == Range("log", 1 / 32, 32)
    assert read(" linear  0 .. 0.9 ") == Range("linear", 0, 0.9)
    assert read("log 1e-5..1e-1") == Range("log", 1e-5, 0.1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("log 32..1/32", "log 32..0.03125 is upside down"),
        ("log 3..3", "log 3..3 is empty"),
        ("log 0..1", "begins at 0 or below, which has no logarithm"),
        ("linear 0..inf", "finite"),
        ("log 1/0..2", "scale and two ends"),
        ("lag 1..2", "scale and two ends"),
        ("1..2", "scale and two ends"),
        ("", "scale and two ends"),
    ],
)
def test_what_is_no_range_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as refused:
        read(text)
    assert str(refused.value).startswith("tune.lr")


def test_a_place_becomes_a_value_evenly_on_the_ranges_scale() -> None:
    places = np.linspace(0, 1, 5)
    assert [Range("log", 1 / 16, 16).at(u) for u in places] == pytest.approx(
        np.geomspace(1 / 16, 16, 5)
    )
    assert [Range("linear", -1, 3).at(u) for u in places] == pytest.approx(np.linspace(-1, 3, 5))


def test_what_widening_adds_begins_where_the_range_ends_and_is_half_as_wide() -> None:
    low, high = (Range("log", 1 / 32, 32).beyond(side) for side in ("low", "high"))
    assert (low.low, low.high) == pytest.approx((1 / 1024, 1 / 32))
    assert (high.low, high.high) == pytest.approx((32, 1024))
    linear = Range("linear", 0, 0.2).beyond("high")
    assert (linear.low, linear.high) == pytest.approx((0.2, 0.3))


@pytest.mark.parametrize("scramble", range(5))
def test_points_are_spread_more_evenly_than_chance(scramble: int) -> None:
    (column,) = zip(*halton(16, 1, scramble), strict=True)
    assert sorted(int(16 * value) for value in column) == list(range(16)), "one in each sixteenth"
    for dimensions in (2, 3):
        points = np.array(halton(64, dimensions, scramble))
        chance = np.random.default_rng(scramble).random((200, 64, dimensions))
        assert qmc.discrepancy(points) < np.quantile([qmc.discrepancy(p) for p in chance], 0.1)


def test_scrambles_differ_and_leave_each_point_uniform() -> None:
    firsts = np.array([halton(2, 2, scramble) for scramble in range(400)])
    for place in firsts.reshape(400, -1).T:
        counts, _ = np.histogram(place, 8, (0, 1))
        assert ((counts - 50) ** 2 / 50).sum() < 24.3, "chi-squared of 7 degrees, 0.1 %"


def test_more_points_add_to_fewer_and_the_same_scramble_gives_the_same() -> None:
    assert halton(20, 2, 7)[:5] == halton(5, 2, 7)
    # A job's key holds these: whoever changes them makes all trials of before unfindable.
    assert halton(2, 2, 0)[1] == pytest.approx((0.9743594502320292, 0.7982248782553335))


def test_too_many_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="9 settings are too many"):
        halton(2, 9, 0)
