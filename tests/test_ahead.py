"""Work done ahead: in order, bounded, given up when nobody asks any more."""

import os
import threading
import time

import pytest

from fashionbench.core.ahead import MOST, map_ahead

BOUND = 2 * min(os.cpu_count() or 1, MOST)


def test_results_come_in_the_order_of_things_whatever_takes_longer() -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0)
        return number**2

    assert list(map_ahead(slow_first, range(20))) == [number**2 for number in range(20)]
    assert list(map_ahead(slow_first, [])) == []


def test_no_more_are_computed_ahead_than_the_bound() -> None:
    asked = list[int]()

    def things():
        for number in range(100):
            asked.append(number)
            yield number

    results = map_ahead(lambda number: number, things())
    for taken in range(1, 20):
        next(results)
        assert len(asked) < taken + BOUND


def test_an_error_is_raised_in_its_turn_and_ends_the_work() -> None:
    begun = set[int]()

    def fails_at_three(number: int) -> int:
        begun.add(number)
        if number == 3:
            raise ValueError("three")
        return number

    results = map_ahead(fails_at_three, range(1000))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    time.sleep(0.05)
    assert len(begun) <= 3 + 2 * BOUND


def test_each_thread_begins_as_it_is_told() -> None:
    ready = threading.local()

    def begin() -> None:
        ready.told = True

    assert all(map_ahead(lambda _: ready.told, range(10), begin))
