"""The one name of each model: the shortest that tells it apart, found in any case."""

import pytest

from fashionbench.config.naming import find_named, short_names
from fashionbench.errors import UsageError


@pytest.mark.parametrize(
    ("models", "called", "names"),
    [
        (["v0", "__main__:Net", "a/b.py:Net"], (), ["v0", "Net", "b.py:Net"]),
        (["nets/ann.py:Net", "nets/bob.py:Net", "v0"], (), ["ann", "bob", "v0"]),
        (["nets/ann.py:Net", "nets/bob.py:Big"], (), ["ann.py:Net", "bob.py:Big"]),
        (["a/net.py:Net", "b/net.py:Net"], (), ["a/net.py:Net", "b/net.py:Net"]),
        (["v0", "a.py:Net", "v2"], ("", "mine", ""), ["v0", "mine", "v2"]),
        (["v2", "a.py:Net"], ("", "v2"), ["v2", "a.py:Net"]),
    ],
)
def test_a_name_is_as_short_as_it_can_be(
    models: list[str], called: tuple[str, ...], names: list[str]
) -> None:
    assert short_names(models, called) == names


def test_models_of_one_name_are_told_apart_by_where_they_come_from() -> None:
    same = ["net.py:Net", "net.py:Net"]
    assert short_names(same, origins=("anna", "ben")) == ["net (anna)", "net (ben)"]


NAMES = [("ann", "nets/ann.py:Net", "Net"), ("bob", "nets/bob.py:Net", "Net"), ("v2", "v2", "CNN")]


@pytest.mark.parametrize(
    ("name", "places"),
    [("ann", [0]), ("Bob", [1]), ("nets/bob.py:Net", [1]), ("cnn", [2]), ("eve", [])],
)
def test_a_model_is_found_by_each_of_its_names(name: str, places: list[int]) -> None:
    assert find_named(name, NAMES) == places


def test_what_a_name_says_in_its_own_case_comes_first() -> None:
    assert find_named("Net", [("net", "x"), ("Net", "y")]) == [1]
    assert find_named("v2", [("v2", "Net"), ("mine", "v2")]) == [0], "a class comes last"


def test_the_class_of_several_models_names_none() -> None:
    with pytest.raises(UsageError, match="'net' may be ann or bob; name one"):
        find_named("net", NAMES)
