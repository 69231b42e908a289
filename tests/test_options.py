"""What is read from the text of an option."""

import pytest

from fashionbench.cli.options import parse_seeds, read_number, split_names
from fashionbench.errors import UsageError


def test_names_are_parted_at_commas_outside_brackets() -> None:
    text = "v0, net.py:Net:sizes=((1,2),(3,4)):more=[5,{6,7}],v2:hidden_units=32,"
    expected = ["v0", "net.py:Net:sizes=((1,2),(3,4)):more=[5,{6,7}]", "v2:hidden_units=32"]
    assert split_names(text) == expected


def test_a_number_is_read_and_other_text_left() -> None:
    found = [read_number(text) for text in ("4", "0.5", "1e-3", "many", "1/2")]
    assert found == [4, 0.5, 0.001, "many", "1/2"]
    assert type(found[0]) is int


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("5", 5),
        ("7,", [7]),
        ("0,1,7", [0, 1, 7]),
        (" 3 , 4 ", [3, 4]),
        ("2-4", [2, 3, 4]),
        ("0-1,7,9-9", [0, 1, 7, 9]),
    ],
)
def test_seeds_are_a_number_of_them_or_the_seeds_themselves(
    text: str, seeds: int | list[int]
) -> None:
    found = parse_seeds(text)
    assert (found if isinstance(found, int) else [*found]) == seeds


@pytest.mark.parametrize("text", ["few", "4-2", "-3", "1-", "0:50", "1-2-3", ","])
def test_seeds_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"--seeds '{text}' is not understood; give a number"):
        parse_seeds(text)
