"""What a model costs, by hand."""

import own_nets
import pytest
import torch
from torch import nn

from fashionbench.models.build import build_model
from fashionbench.models.cost import count_parameters, flops_per_image


class Rows(nn.Module):
    """Reads an image row by row."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.layer, self.fc = layer, nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer = self.layer(x[:, 0])
        return self.fc((answer[0] if isinstance(answer, tuple) else answer)[:, -1])


class Products(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Bilinear(28, 28, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x[:, 0, 0], x[:, 0, 1])


def test_flops_are_those_of_the_two_products() -> None:
    # A product of (1, n) and (n, m) is n m multiplications and as many additions.
    assert flops_per_image(build_model("v0")) == 2 * (784 * 10 + 10 * 10)


HEAD = 2 * 32 * 10
LSTM = 4 * 32 * (28 + 32)
"""Four gates, each from 28 pixels and 32 hidden values, in each of 28 steps."""


@pytest.mark.parametrize(
    ("layer", "width", "multiplications"),
    [
        (nn.LSTM(28, 32, batch_first=True), 32, 28 * LSTM),
        (nn.LSTM(28, 32, 2, batch_first=True), 32, 28 * (LSTM + 4 * 32 * (32 + 32))),
        (nn.LSTM(28, 32, batch_first=True, bidirectional=True), 64, 28 * 2 * LSTM),
        (nn.GRU(28, 32, batch_first=True), 32, 28 * 3 * 32 * (28 + 32)),
    ],
)
def test_recurrent_layers_are_counted_step_by_step(
    layer: nn.Module, width: int, multiplications: int
) -> None:
    assert flops_per_image(Rows(layer, width)) == 2 * (multiplications + width * 10)


def test_attention_is_counted_as_in_training() -> None:
    # Torch's fast path for it counts as nothing, and is taken where no gradient is asked for.
    layer = nn.TransformerEncoderLayer(28, 4, 64, dropout=0, batch_first=True)
    steps, width = 28, 28
    projections = steps * 4 * width * width
    attention = 2 * steps * steps * width
    feed_forward = 2 * steps * width * 64
    expected = 2 * (projections + attention + feed_forward + width * 10)
    for frozen in (False, True):
        layer.requires_grad_(not frozen)
        assert flops_per_image(Rows(layer, width)) == expected


def test_a_bilinear_layer_is_counted() -> None:
    # x W y for each of 10 outputs: 28 x 28 products, and 28 more of what comes of them.
    assert flops_per_image(Products()) == 2 * 10 * (28 * 28 + 28)


def test_a_net_that_takes_no_single_image_is_counted_at_two() -> None:
    class InTraining(own_nets.Plain):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(nn.functional.batch_norm(self.hidden(x), None, None, training=True))

    assert flops_per_image(InTraining()) == 2 * (784 * 16 + 16 * 10)


def test_what_cannot_be_counted_is_left_empty() -> None:
    class Failing(own_nets.Plain):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("not with these")

    assert flops_per_image(Failing()) is None


def test_parametrized_weights_are_counted() -> None:
    assert flops_per_image(own_nets.NewNorm()) == 2 * (784 * 16 + 16 * 10)


def test_frozen_parameters_are_not_trained() -> None:
    model = own_nets.Plain()
    model.a.requires_grad_(False)
    assert count_parameters(model) == 16 * 10 + 10
