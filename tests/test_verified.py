"""An engine is used only where it computes what torch does; all else is trained by torch."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionbench.config.recipe import load_recipe
from fashionbench.core.logits import infer
from fashionbench.data.split import Split
from fashionbench.models.build import build_model
from fashionbench.training.evaluation import compute_logits, evaluate
from fashionbench.training.kernels import verified
from fashionbench.training.kernels.compiler import SWITCH, load_library
from fashionbench.training.kernels.layers import find_layers
from fashionbench.training.kernels.verified import build_engine, build_scorer
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.members import fit_members

pytestmark = pytest.mark.skipif(load_library() is None, reason="there is no C compiler")
RECIPE = load_recipe("default").override(epochs=1)


def has_engine(model: nn.Module, few: Split, **settings: object) -> bool:
    return build_engine(model, few, RECIPE.override(**settings), threads=1) is not None


class Course(nn.Module):
    """A network as courses write it; `forward` may be replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 6, 5)
        self.last = nn.Linear(6 * 12 * 12, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.first(images)), 2)
        return self.last(torch.flatten(x, 1))


def test_which_models_have_an_engine(few: Split) -> None:
    for name in ("v0", "v1", "v2", "mlp", "linear", "lenet", "vgg-tiny"):
        assert has_engine(build_model(name), few), name
    assert has_engine(Course(), few)
    assert not has_engine(build_model("resnet20"), few)


def test_what_torch_has_to_compute_has_none(few: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model("v2")
    assert not has_engine(model, few, precision="bf16")
    assert not has_engine(copy.deepcopy(model).double(), few)
    assert not has_engine(copy.deepcopy(model).to(memory_format=torch.channels_last), few)
    assert not has_engine(model, few.to(torch.device("meta")))
    assert not has_engine(model, Split(few.images[:, None].repeat(1, 3, 1, 1), few.labels))
    monkeypatch.setenv(SWITCH, "off")
    assert not has_engine(model, few)


def test_a_norm_that_is_frozen_meanwhile_is_trained_by_torch(few: Split) -> None:
    assert has_engine(build_model("vgg-tiny"), few, batch_size=10)
    assert not has_engine(build_model("vgg-tiny"), few, unfreeze_every=1)
    assert has_engine(build_model("v2"), few, unfreeze_every=1)


def test_labels_that_are_no_classes_are_left_to_torch(few: Split) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, int(few.labels.max())))
    assert not has_engine(model, few)
    assert not has_engine(build_model("v0"), replace(few, labels=few.labels.int()))
    with pytest.raises(IndexError, match="out of bounds"):
        fit(model, few, RECIPE, device="cpu")


def test_with_too_little_memory_torch_trains(few: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError("a network's step")

    monkeypatch.setattr(verified, "Engine", full)
    assert not has_engine(build_model("v2"), few)
    assert build_scorer(build_model("v2").eval(), few.images) is None


@pytest.mark.parametrize("fault", ["stride", "relu", "padding"])
def test_a_model_that_is_read_wrongly_is_trained_by_torch(
    fault: str, few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(model: nn.Module, *sizes: object) -> object:
        layers = find_layers(model, *sizes)
        assert layers is not None
        match fault:
            case "relu":
                layers[0] = replace(layers[0], relu=False)
            case "padding":  # of a kernel of one more, so that all sizes stay as they are
                layers[-1] = replace(layers[-1], relu=True)
            case _:
                layers[1] = replace(layers[1], pool=False, stride=2)
        return layers

    monkeypatch.setattr(verified, "find_layers", wrong)
    assert not has_engine(build_model("v2"), few)
    model = build_model("v2").eval()
    with torch.inference_mode():
        assert build_scorer(model, few.images) is None


def test_a_model_is_left_as_it_was(few: Split) -> None:
    model = build_model("vgg-tiny", seed=0).eval()
    before = copy.deepcopy(model.state_dict())
    assert has_engine(model, few)
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_logits_are_those_of_torch_also_of_several_views_and_behind_dropout(few: Split) -> None:
    torch.manual_seed(0)
    dropping = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10)
    )
    for model in (build_model("v2"), build_model("vgg-tiny"), dropping):
        with torch.inference_mode():
            assert build_scorer(model.eval(), few.images) is not None
        for views in ("one", "flip", "shifts"):
            found = compute_logits(model, few.images, views)
            torch.testing.assert_close(
                torch.tensor(found),
                torch.tensor(infer(model, few.images, views)),
                rtol=0,
                atol=1e-5,
            )


def ends(few: Split, train: Callable[[nn.Module], object], name: str) -> tuple[Tensor, object]:
    model = build_model(name, seed=0)
    history = train(model)
    return torch.cat([p.detach().flatten() for p in model.parameters()]), history


@pytest.mark.parametrize("name", ["v0", "v1", "v2", "lenet"])
@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9, "ema": 0.9, "label_smoothing": 0.1}])
def test_fifty_steps_end_where_those_of_torch_end(
    name: str, settings: dict[str, object], few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With some noise no two places are alike, and none is pooled for rounding's sake.
    noise = torch.randint(32, few.images.shape, generator=torch.Generator().manual_seed(0))
    data = Split(few.images // 2 + noise.to(torch.uint8), few.labels)
    recipe = RECIPE.override(batch_size=10, learning_rate=0.02, **settings)
    found = {}
    for switch in ("on", "off"):
        monkeypatch.setenv(SWITCH, switch)
        found[switch] = ends(data, lambda model: fit(model, data, recipe, device="cpu"), name)
    (ours, history), (theirs, of_torch) = found["on"], found["off"]
    assert (history.engine, of_torch.engine) == ("kernels", "torch")
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-3
    assert history.curve[-1][1] == pytest.approx(of_torch.curve[-1][1], rel=1e-2)


@pytest.mark.parametrize("name", ["v0", "v2", "vgg-tiny"])
def test_members_end_to_the_bit_where_each_ends_alone(name: str, few: Split) -> None:
    models = [build_model(name, seed=seed) for seed in range(3)]
    alone = copy.deepcopy(models)
    histories = fit_members(models, few, RECIPE, [0, 1, 2], device="cpu")
    assert [history.engine for history in histories] == ["kernels"] * 3
    for seed, (model, other) in enumerate(zip(models, alone, strict=True)):
        fit(other, few, RECIPE, seed, device="cpu")
        for one, two in zip(model.parameters(), other.parameters(), strict=True):
            assert torch.equal(one, two)


def test_scores_of_a_model_are_the_same_both_ways(
    few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_model("v2", seed=0)
    fit(model, few, RECIPE, device="cpu")
    ours = evaluate(model, few)
    monkeypatch.setenv(SWITCH, "off")
    theirs = evaluate(model, few)
    assert ours.accuracy == theirs.accuracy
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)
