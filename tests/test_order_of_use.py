"""Layers come in the order of use, whatever the order of writing."""

import own_nets
import pytest
import torch
from torch import nn

from fashionbench.core.order_of_use import last_layer, list_in_call_order
from fashionbench.models.build import build_model
from fashionbench.models.table import MODELS


def test_layers_are_listed_as_a_pass_calls_them() -> None:
    assert list_in_call_order(own_nets.HeadFirst()) == ["", "first", "middle", "fc"]
    assert last_layer(own_nets.HeadFirst(), nn.Linear) == "fc"
    assert last_layer(own_nets.HeadFirst(), nn.Conv2d) is None


def test_the_model_itself_is_not_asked() -> None:
    model = own_nets.FirstBatch()
    list_in_call_order(model)
    assert model.ready == 0
    assert not model.a._forward_pre_hooks


@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("wrn")])
def test_the_tables_models_are_written_in_the_order_of_use(name: str) -> None:
    model = build_model(name)
    written = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    assert last_layer(model, nn.Linear) == written[-1]


def test_a_layer_whose_weight_alone_is_taken_is_not_the_last() -> None:
    class Borrowing(own_nets.Plain):
        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Linear(3, 3)

    assert last_layer(Borrowing(), nn.Linear) == "b"


def test_where_no_pass_succeeds_the_order_is_that_of_writing() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 10))  # takes no images
    assert list_in_call_order(model) == ["", "0", "1"]
    assert torch.equal(model[0].weight, model[0].weight)
