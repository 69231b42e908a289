"""The canary ends the same here, and otherwise where arithmetic is another."""

import pytest
import torch
from factories import CPU

from fashionbench.experiments.cluster import canary
from fashionbench.experiments.cluster.canary import train_canary


def test_it_ends_the_same_each_time_and_leaves_the_generator_as_it_was() -> None:
    before = torch.get_rng_state()
    first = train_canary(CPU)
    torch.manual_seed(7)
    assert train_canary(CPU) == first
    torch.set_rng_state(before)


@pytest.mark.parametrize("way", ["kernels", "torch"])
def test_a_bit_in_either_way_of_training_is_another_digest(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, fit = train_canary(CPU), canary.fit

    def drift(model, *arguments, **options):  # as another processor rounds
        history = fit(model, *arguments, **options)
        if history.engine == way:
            with torch.no_grad():
                weight = next(model.parameters()).view(-1)
                weight[0] = torch.nextafter(weight[0], torch.tensor(9.0))
        return history

    monkeypatch.setattr(canary, "fit", drift)
    assert train_canary(CPU) != first
