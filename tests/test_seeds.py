"""Streams of one seed are independent of each other."""

from typing import get_args

import pytest

from fashionbench.core.seeds import (
    HELD_SEED,
    PURPOSES,
    PartialSeed,
    Purpose,
    SplitSeed,
    derive_seed,
)
from fashionbench.errors import UsageError


def test_every_stream_has_a_seed_of_its_own() -> None:
    seeds = [
        derive_seed(seed, purpose, epoch)
        for seed in range(50)
        for purpose in ("initialisation", "order", "dropout")
        for epoch in range(10)
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(1, "order", 2) == derive_seed(1, "order", 2)


@pytest.mark.parametrize("seed", [True, 1.5, "0", PartialSeed(-1, "order"), SplitSeed("0", 1)])
def test_a_seed_is_a_whole_number(seed: object) -> None:
    with pytest.raises(UsageError, match="but should be a whole number from 0 up"):
        derive_seed(seed, "order")


def test_every_stream_of_a_run_but_dropouts_belongs_to_one_source() -> None:
    of_sources = [purpose for purposes in PURPOSES.values() for purpose in purposes]
    assert sorted([*of_sources, "dropout", "points"]) == sorted(get_args(Purpose))


@pytest.mark.parametrize("source", PURPOSES)
def test_a_seed_of_one_source_leaves_all_else_as_it_is(source: str) -> None:
    for purpose in get_args(Purpose):
        seed = 7 if purpose in PURPOSES[source] else HELD_SEED
        assert derive_seed(PartialSeed(7, source), purpose, 3) == derive_seed(seed, purpose, 3)


def test_a_seed_is_another_on_every_split() -> None:
    seeds = [derive_seed(seed, "order") for seed in (3, SplitSeed(3, 1), SplitSeed(3, 2))]
    assert len(set(seeds)) == 3
