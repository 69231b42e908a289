"""A whole number is taken as it is, and anything else refused in a sentence."""

import numpy as np
import pytest

from fashionbench.core.whole_numbers import check_whole
from fashionbench.errors import UsageError


@pytest.mark.parametrize("value", [0, 10**30, np.int64(3), np.uint8(3)])
def test_whole_numbers_are_taken(value: object) -> None:
    check_whole("seed", value, 0)


@pytest.mark.parametrize("value", [-1, 1.0, "1", True, None, np.bool_(1), [1]])
def test_others_are_refused(value: object) -> None:
    with pytest.raises(UsageError, match=r"^seed is .*, but should be a whole number from 0 up\.$"):
        check_whole("seed", value, 0)


def test_a_number_beyond_the_most_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^size is 9, but should be a whole number from 2 to 8\.$"
    ):
        check_whole("size", 9, 2, 8)
