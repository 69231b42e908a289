"""channels_last where it changes nothing but the speed, and never a refusal."""

from collections.abc import Callable

import own_nets
import pytest
import torch
from torch import nn

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split
from fashionbench.models.build import build_model
from fashionbench.training.layout import lay_out
from fashionbench.training.loop import fit

IMAGES = torch.rand(4, 1, 28, 28)


class OwnConvolution(own_nets.FlatView):
    """Of a person's own, and takes any layout."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).relu().flatten(1))


def is_channels_last(model: nn.Module) -> bool:
    weights = [p for p in model.parameters() if p.ndim == 4 and p.shape[1] > 1]
    return all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)


class Deep(OwnConvolution):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 6, 5, stride=2))


class DeepView(Deep):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).view(-1, 864))


class DeepStrides(Deep):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).as_strided((len(x), 864), (864, 1)))


@pytest.mark.parametrize(
    ("build", "takes_it"),
    [
        (lambda: build_model("v2"), True),
        (Deep, True),
        (DeepView, False),
        (DeepStrides, False),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), True),
    ],
)
def test_the_layout_is_taken_where_the_answers_stay(
    build: Callable[[], nn.Module], takes_it: bool
) -> None:
    model = build()
    with torch.no_grad():
        before = model(IMAGES)
        lay_out(model, IMAGES)
        torch.testing.assert_close(model(IMAGES), before, rtol=1e-4, atol=1e-5)
    assert is_channels_last(model) == takes_it


@pytest.mark.parametrize(
    "build", [own_nets.FlatView, own_nets.MixedUpView, own_nets.FiveDimensions, DeepView]
)
def test_the_layout_never_decides_whether_a_net_trains(
    build: Callable[[], nn.Module], few: Split
) -> None:
    result = fit(build(), few, load_recipe("default").override(epochs=1), device="cpu")
    assert result.epochs == 1
    assert not result.diverged


def test_trying_leaves_no_trace() -> None:
    class Settling(Deep):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen += 1
            return super().forward(x)

    model = Settling()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    lay_out(model, IMAGES)
    assert model.seen == 0
    assert torch.equal(torch.get_rng_state(), before)
