"""Names, structure and parameter counts of the models, and one contract for all of them."""

import os
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fashionbench.config.model_spec import ModelSpec
from fashionbench.config.recipe import load_recipe
from fashionbench.core.own_code import locate
from fashionbench.core.own_source import Source
from fashionbench.data.split import Split
from fashionbench.errors import UsageError
from fashionbench.models.adapter import Adapter
from fashionbench.models.build import build_model
from fashionbench.models.cost import flops_per_image
from fashionbench.models.identity import identify
from fashionbench.models.table import MODELS, model_entry
from fashionbench.models.zoo.mlp import MLP, FashionMnistModelV0, FashionMnistModelV1
from fashionbench.models.zoo.tinyvgg import FashionMNISTModelV2
from fashionbench.training.evaluation import evaluate
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.trial import why_not_stackable


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


# In a family one that is quick stands for all; the others are only counted.
HEAVY = {"resnet32", "resnet44", "resnet56", "wrn16-4", "wrn28-10", "wrn40-4"}
QUICK = [*(name for name in MODELS if name not in HEAVY), "wrn16-4:stochastic_depth=0.2:widening=1"]

# Published for CIFAR-10: Zagoruyko and Komodakis's own logs, and He et al.'s table 6, which
# rounds; each less the 288 or 144 weights that two more input channels take.
PUBLISHED = {
    "resnet20": 269_722 - 2 * 9 * 16,
    "resnet32": 464_154 - 2 * 9 * 16,
    "resnet44": 658_586 - 2 * 9 * 16,
    "resnet56": 853_018 - 2 * 9 * 16,
    "wrn16-4": 2_748_890 - 2 * 9 * 16,
    "wrn28-10": 36_479_194 - 2 * 9 * 16,
    "wrn40-4": 8_949_210 - 2 * 9 * 16,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_net_has_its_published_size(name: str) -> None:
    entry = model_entry(ModelSpec(name))
    with torch.device("meta"):
        model = locate(entry.reference)(**entry.settings)
    assert sum(parameter.numel() for parameter in model.parameters()) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("name", "most"), [("vgg-tiny", 10_000), ("separable", 100_000), ("vgg", 300_000)]
)
def test_a_small_net_stays_small(name: str, most: int) -> None:
    assert sum(parameter.numel() for parameter in build_model(name).parameters()) < most


@pytest.mark.parametrize("depth", [20, 56])
def test_published_weights_fit_the_resnets(depth: int) -> None:
    folder = Path(os.environ.get("FASHIONBENCH_DATA", "")).parent / "weights"
    files = sorted(folder.glob(f"resnet{depth}-*.th"))
    if not files:
        pytest.skip("needs the published CIFAR-10 weights")
    weights = torch.load(files[0], map_location="cpu", weights_only=True)["state_dict"]
    model = build_model(f"resnet{depth}:channels=3")
    assert isinstance(model, Adapter)  # repeats the grey channel
    model.net.load_state_dict({key.removeprefix("module."): w for key, w in weights.items()})


@pytest.mark.parametrize("name", QUICK)
class TestContract:
    def test_gives_finite_logits(self, name: str) -> None:
        logits = build_model(name)(torch.rand(5, 1, 28, 28))
        assert logits.shape == (5, 10)
        assert logits.isfinite().all()

    @pytest.mark.slow
    def test_sixteen_images_are_learnt_by_heart(self, name: str, few: Split) -> None:
        if name == "v1":
            pytest.skip("a dead logit learns nothing, which is what v1 is there to show")
        data = Split(few.images[:16], few.labels[:16])
        settings = {"optimizer": "adam", "learning_rate": 0.003, "epochs": 80, "batch_size": 16}
        model = build_model(name, seed=1)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
                module.momentum = 0.5  # so that running statistics keep up with so few steps
        fit(model, data, load_recipe("default").override(**settings), device="cpu")
        assert evaluate(model, data).accuracy == 1

    @pytest.mark.slow
    def test_can_be_trained_as_members_at_once(self, name: str, few: Split) -> None:
        recipe = load_recipe("default").override(batch_size=8)
        assert why_not_stackable(partial(build_model, name), few, recipe) is None

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    def test_cuda_gives_the_same_logits(self, name: str) -> None:
        model, images = build_model(name).eval(), torch.rand(4, 1, 28, 28)
        expected = model(images)
        on_cuda = model.cuda()(images.cuda()).cpu()
        torch.testing.assert_close(on_cuda, expected, rtol=1e-2, atol=1e-3)

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


@pytest.mark.parametrize("name", ["v0", "v2", "lenet", "vgg-tiny", "separable", "resnet20"])
def test_flops_are_those_of_its_layers(name: str) -> None:
    model, expected = build_model(name), 0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal expected
        if isinstance(layer, nn.Linear):
            expected += 2 * layer.in_features * layer.out_features
        if isinstance(layer, nn.Conv2d):
            expected += 2 * output[0].numel() * layer.weight[0].numel()

    for layer in model.modules():
        layer.register_forward_hook(count)
    flops = flops_per_image(model)
    assert flops == expected


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"classes": 0}, "classes is 0, but should be a whole number from 1 up"),
        ({"classes": "10"}, "classes is '10', but should be a whole number"),
        ({"classes": 10**15}, "v0 cannot be built: "),
        ({"seed": -1}, "seed is -1, but should be a whole number from 0 up"),
        ({"name": nn.Linear}, "A model is built by its name.* and <class .*> is none"),
        ({"name": None}, "A model is built by its name.* and None is none"),
    ],
)
def test_what_no_model_is_built_by_is_refused_in_a_sentence(
    wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        build_model(**{"name": "v0"} | wrong)


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"v9.*v0, v1, v2, mlp"):
        model_entry(ModelSpec("v9"))


class OwnModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1))


def test_a_class_of_ones_own_is_named_and_rebuilt() -> None:
    spec, source = identify(OwnModel)
    assert spec == ModelSpec(f"{__name__}:OwnModel")
    assert source == identify(str(spec))[1] != Source()
    assert type(build_model(str(spec))) is OwnModel


@pytest.mark.parametrize("model", [lambda: OwnModel(), 7, "nowhere.at_all:Net"])
def test_what_cannot_be_rebuilt_is_refused(model: object) -> None:
    with pytest.raises(UsageError, match=r"cannot be (loaded|built anew)"):
        identify(model)


def test_arguments_are_part_of_a_name_unless_they_are_the_defaults() -> None:
    assert identify("v2:hidden_units=10") == (ModelSpec("v2"), Source())
    spec, _ = identify("wrn16-4:widening=4:channels=3")
    assert spec == ModelSpec("wrn16-4", {"channels": 3})
    spec, _ = identify("v2:hidden_units=32")
    assert str(spec) == "v2:hidden_units=32"
    assert model_entry(spec).label == "FashionMNISTModelV2 hidden_units=32"
    assert build_model(str(spec)).classifier[1].in_features == 32 * 49
    assert identify("mlp-wide:width=8:depth=2")[0] == identify("mlp-wide:depth=2:width=8")[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v2:hidden=3", "no argument 'hidden'; there are input_shape, hidden_units, output_shape"),
        ("vgg:widht=3", "no argument 'widht'; there are width=32, dropout=0.0, classes=10"),
        ("vgg:width", "the argument 'width' has no value; write vgg:width=VALUE"),
        ("vgg:", "an argument is missing; write vgg:NAME=VALUE"),
    ],
)
def test_an_argument_that_is_not_taken_is_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        identify(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v2:hidden_units=many", "v2 cannot be built"),
        ("wrn16-4:depth=17", "the depth is 6 n \\+ 4"),
        ("vgg:classes=7", r"with \(2, 7\); it must be \(2, 10\)"),
    ],
)
def test_an_argument_that_does_not_fit_is_explained(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_model(name)
