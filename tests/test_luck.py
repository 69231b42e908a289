"""The study of luck finds what the variance of simulated accuracies is made of."""

from pathlib import Path

import numpy as np
import pytest

STUDIES = Path(__file__).parent.parent / "studies"


def simulate(seeds: int, order: float, weights: float, both: float) -> dict[str, list[float]]:
    """Accuracies of runs in three comparisons, by effects of given sds; seed 0 is what is held."""
    rng = np.random.default_rng(0)
    orders, starts = rng.normal(0, order, seeds + 1), rng.normal(0, weights, seeds + 1)
    joint = rng.normal(0, both, (seeds + 1, seeds + 1))
    k = np.arange(1, seeds + 1)
    return {
        "all": (0.8 + orders[k] + starts[k] + joint[k, k]).tolist(),
        "order": (0.8 + orders[k] + starts[0] + joint[k, 0]).tolist(),
        "weights": (0.8 + orders[0] + starts[k] + joint[0, k]).tolist(),
    }


@pytest.mark.parametrize("sds", [(0.02, 0.0, 0.005), (0.01, 0.01, 0.01), (0.0, 0.02, 0.01)])
def test_shares_of_the_variance_are_found(
    sds: tuple[float, float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(STUDIES)
    import luck

    found = luck.estimate({"accuracies": simulate(4000, *sds)})
    total = sum(sd**2 for sd in sds)
    for part, sd in zip(("order", "weights", "both"), sds, strict=True):
        share, low, high = found[part]
        assert share == pytest.approx(sd**2 / total, abs=0.06)
        assert low <= sd**2 / total <= high
    shared = sds[0] ** 2 / np.sqrt(total * (sds[0] ** 2 + sds[2] ** 2))
    assert found["same order"][0] == pytest.approx(shared, abs=0.06)
