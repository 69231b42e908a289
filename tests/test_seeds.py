"""Streams of one seed are independent of each other."""

from fashionbench.core.seeds import derive_seed


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
