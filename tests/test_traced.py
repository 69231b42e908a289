"""A traced run of a stack ends where an eager one ends, and draws anew in every step."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split
from fashionbench.models.build import build_model
from fashionbench.training.batch import Batch
from fashionbench.training.batches import epoch_batches
from fashionbench.training.many_seeds.members import fit_members
from fashionbench.training.many_seeds.traced import Traced, _drop_idle_views, can_be_traced
from fashionbench.training.updater import Updater

RECIPE = load_recipe("default").override(epochs=2, learning_rate=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("v1", {}),
        ("lenet", {"mixing": "cutmix:1", "label_smoothing": 0.1}),
        ("vgg-tiny", {"precision": "bf16"}),  # with running means
        ("mlp-wide:width=16", {"validation_images": 100, "patience": 1}),  # with dropout
        ("wrn16-4:widening=1:stochastic_depth=0.5", {"train_images": 40}),
        ("vit:width=16", {"train_images": 40}),
    ],
)
def test_a_traced_run_ends_where_an_eager_one_ends(
    name: str, settings: dict[str, object], few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPE.override(**settings)
    traced, eager = ([build_model(name, seed) for seed in (0, 1)] for _ in range(2))
    first = fit_members(traced, few, recipe, (0, 1), device="cpu")
    monkeypatch.setattr("fashionbench.training.many_seeds.stack.can_be_traced", lambda *_: False)
    second = fit_members(eager, few, recipe, (0, 1), device="cpu")
    assert [run.curve for run in first] == [
        [pytest.approx(point, rel=1e-5) for point in run.curve] for run in second
    ]
    for one, other in zip(traced, eager, strict=True):
        for key, value in one.state_dict().items():
            torch.testing.assert_close(value, other.state_dict()[key])


def test_a_list_of_operations_is_noted_once_for_each_shape(few: Split) -> None:
    calls = []

    def losses(parameters: dict[str, Tensor], buffers: dict[str, Tensor], batch: Batch) -> Tensor:
        calls.append(len(batch.labels))
        buffers["steps"].add_(1)
        chance = torch.rand(1)
        return (parameters["weight"] * chance).sum(1) + batch.images.mean()

    weight, steps = nn.Parameter(torch.ones(3, 2)), torch.zeros(())
    passes = Traced(losses, {"weight": weight}, {"steps": steps})
    state = torch.get_rng_state()
    found, gradients = [], []
    for batch in epoch_batches(few, RECIPE, [0], 0):
        found.append(passes(batch))
        gradients.append(weight.grad)
    torch.set_rng_state(state)
    drawn = [torch.rand(1) for _ in found]
    assert calls == [32, 500 % 32]
    assert steps == len(found) == 16
    for batch, loss, gradient, chance in zip(
        epoch_batches(few, RECIPE, [0], 0), found, gradients, drawn, strict=True
    ):
        torch.testing.assert_close(loss, (2 * chance + batch.images.mean()).expand(3))
        torch.testing.assert_close(gradient, chance.expand(3, 2))


def test_only_views_that_look_at_a_tensor_as_it_is_are_dropped() -> None:
    def program(x: Tensor) -> Tensor:
        idle = x.view(2, 3).expand(2, 3)
        idle.add_(1)  # seen in x, too
        return idle.view(6).mul(x) + x.view(1, 6).expand(4, 6)

    graph = make_fx(program)(torch.ones(6))
    nodes = [node for node in graph.graph.nodes if node.op == "call_function"]
    assert all({"shape", "stride"} <= {*node.meta["tensor_meta"]._fields} for node in nodes), (
        "torch's make_fx no longer notes shapes and strides in meta['tensor_meta'], by which "
        "traced.py tells which views are idle."
    )
    _drop_idle_views(graph)
    left = [node.target.name() for node in graph.graph.nodes if node.op == "call_function"]
    assert left == [
        "aten::view",
        "aten::add_.Tensor",
        "aten::view",
        "aten::mul.Tensor",
        "aten::view",
        "aten::expand",
        "aten::add.Tensor",
    ]
    given = [torch.arange(6.0) for _ in range(2)]
    assert torch.equal(graph(given[0]), program(given[1]))
    assert torch.equal(*given), "what is written through a view is written into its source"


def test_only_a_known_model_on_the_cpu_is_traced() -> None:
    model = build_model("v0")
    updater = Updater(dict(model.named_parameters()), {}, RECIPE, 1)
    assert can_be_traced(model, updater)
    assert not can_be_traced(nn.Sequential(model, Own()), updater)
    elsewhere = SimpleNamespace(
        parameters=[SimpleNamespace(device=torch.device("cuda"))], recipe=RECIPE
    )
    assert not can_be_traced(model, elsewhere)  # type: ignore[arg-type]


class Own(nn.Module):
    """Not of this package."""
