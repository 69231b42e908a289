"""Names, structure and parameter counts of the models, and one contract for all of them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fashionbench.errors import UsageError
from fashionbench.models import MODELS, build_model, identify, model_entry
from fashionbench.models.mlp import MLP, FashionMnistModelV0, FashionMnistModelV1
from fashionbench.models.tinyvgg import FashionMNISTModelV2
from fashionbench.runs import flops_per_image


@pytest.mark.parametrize(
    ("model", "keys", "parameters"),
    [
        # The counts are those that the three models were published with.
        (FashionMnistModelV0(784, 10, 10), ["layer_stack.1", "layer_stack.2"], 7960),
        (FashionMnistModelV1(784, 10, 10), ["layer_stack.1", "layer_stack.3"], 7960),
        (MLP(784, 10, 10), ["layer_stack.1", "layer_stack.3"], 7960),
        (
            FashionMNISTModelV2(1, 10, 10),
            ["block_1.0", "block_1.2", "block_2.0", "block_2.2", "classifier.1"],
            7740,
        ),
    ],
)
def test_structure_is_the_published_one(model: nn.Module, keys: list[str], parameters: int) -> None:
    assert [*model.state_dict()] == [f"{key}.{part}" for key in keys for part in ("weight", "bias")]
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_v1_is_the_mlp_with_a_relu_on_the_logits() -> None:
    images = torch.rand(7, 1, 28, 28)
    v1, mlp = FashionMnistModelV1(784, 10, 10), MLP(784, 10, 10)
    mlp.load_state_dict(v1.state_dict())
    torch.testing.assert_close(v1(images), F.relu(mlp(images)))


@pytest.mark.parametrize("name", MODELS)
class TestContract:
    def test_gives_finite_logits(self, name: str) -> None:
        logits = build_model(name)(torch.rand(5, 1, 28, 28))
        assert logits.shape == (5, 10)
        assert logits.isfinite().all()

    def test_every_parameter_gets_a_gradient(self, name: str) -> None:
        model = build_model(name)
        F.cross_entropy(model(torch.rand(64, 1, 28, 28)), torch.arange(64) % 10).backward()
        for parameter in model.parameters():
            assert parameter.grad is not None
            assert parameter.grad.abs().sum() > 0

    def test_batch_mates_do_not_matter_in_eval_mode(self, name: str) -> None:
        model, images = build_model(name).eval(), torch.rand(6, 1, 28, 28)
        torch.testing.assert_close(model(images)[:2], model(images[:2]))

    def test_the_seed_alone_decides_the_first_weights(self, name: str) -> None:
        weights = [
            torch.cat([p.flatten() for p in build_model(name, seed).parameters()])
            for seed in (4, 4, 5)
        ]
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])

    def test_flops_are_those_of_its_layers(self, name: str) -> None:
        model = build_model(name)
        expected = 0

        def count(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
            nonlocal expected
            if isinstance(layer, nn.Linear):
                expected += 2 * layer.in_features * layer.out_features
            if isinstance(layer, nn.Conv2d):
                expected += 2 * output[0].numel() * layer.in_channels * 9

        for layer in model.modules():
            layer.register_forward_hook(count)
        flops = flops_per_image(model)
        assert flops == expected


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"v9.*v0, v1, v2, mlp"):
        model_entry("v9")


class OwnModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1))


def test_a_class_of_ones_own_is_named_and_rebuilt() -> None:
    name, digest = identify(OwnModel)
    assert name == f"{__name__}:OwnModel"
    assert digest == identify(name)[1] != ""
    assert type(build_model(name)) is OwnModel


@pytest.mark.parametrize("model", [lambda: OwnModel(), 7, "nowhere.at_all:Net", "json:Net"])
def test_what_cannot_be_rebuilt_is_refused(model: object) -> None:
    with pytest.raises(UsageError, match=r"cannot be (loaded|rebuilt)"):
        identify(model)
