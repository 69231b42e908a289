"""A captured pass gives what an eager one gives: with a stand-in for CUDA's graphs, and on CUDA."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionbench.config.recipe import load_recipe
from fashionbench.data.split import Split
from fashionbench.models.build import build_model
from fashionbench.training.batch import Batch
from fashionbench.training.batches import epoch_batches
from fashionbench.training.cuda_graph import EAGER_CALLS, Captured, can_be_captured
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.members import fit_members
from fashionbench.training.updater import Updater

RECIPE = load_recipe("default").override(momentum=0.9, schedule="cosine", gradient_clip=0.5)


class Pass:
    """Forward and backward of a model; remembers where its last call read and wrote."""

    def __init__(self, model: nn.Module) -> None:
        self.parameters = list(model.parameters())
        self.model = model
        self.calls = 0

    def __call__(self, batch: Batch) -> Tensor:
        self.calls += 1
        for parameter in self.parameters:
            parameter.grad = None
        loss = F.cross_entropy(self.model(batch.images), batch.labels)
        loss.backward()
        self.batch, self.loss = batch, loss.detach()
        self.gradients = [parameter.grad for parameter in self.parameters]
        return self.loss


class Graph:
    """Stands in for torch.cuda.CUDAGraph: a replay reads and writes where the captured call did."""

    def __init__(self, compute: Pass) -> None:
        self.compute = compute
        self.replays = 0

    @contextmanager
    def capture(self) -> Iterator[None]:
        yield
        self.batch, self.outputs = self.compute.batch, [self.compute.loss, *self.compute.gradients]

    @torch.no_grad()
    def replay(self) -> None:
        self.replays += 1
        with torch.enable_grad():
            loss = self.compute(self.batch)
        for output, value in zip(self.outputs, [loss, *self.compute.gradients], strict=True):
            output.copy_(value)


def trained(model: nn.Module, data: Split, captured: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    """Train for two epochs, and say how the passes were made."""
    compute = Pass(model)
    graph = Graph(compute)
    stream = SimpleNamespace(wait_stream=lambda other: None)
    for name, fake in {
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "stream": lambda stream: nullcontext(),
        "CUDAGraph": lambda: graph,
        "graph": lambda graph, stream: graph.capture(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    passes = Captured(compute, compute.parameters) if captured else compute
    updater = Updater(dict(model.named_parameters()), {}, RECIPE, 16)
    losses = []
    for epoch in range(2):
        for batch in epoch_batches(data, RECIPE, [0], epoch):
            losses.append(passes(batch))
            updater.update()
    assert len({loss.data_ptr() for loss in losses}) == len(losses)
    return f"{compute.calls - graph.replays} computed, {graph.replays} replayed"


def test_a_captured_run_ends_where_an_eager_one_ends(
    few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager, captured = build_model("v0", seed=0), build_model("v0", seed=0)
    assert trained(eager, few, False, monkeypatch) == "32 computed, 0 replayed"
    # Of 2 x 16 batches two are short; the capture itself is a call that computes nothing.
    computed = EAGER_CALLS + 2 + 1
    replayed = 32 - EAGER_CALLS - 2
    found = trained(captured, few, True, monkeypatch)
    assert found == f"{computed} computed, {replayed} replayed"
    for a, b in zip(eager.parameters(), captured.parameters(), strict=True):
        assert torch.equal(a, b)


def test_nothing_is_captured_without_cuda_or_of_a_model_that_is_not_known() -> None:
    model = build_model("v2", seed=0)
    on_cpu = Updater(dict(model.named_parameters()), {}, RECIPE, 1)
    assert not can_be_captured(model, on_cpu)
    cuda = SimpleNamespace(parameters=[SimpleNamespace(is_cuda=True)], recipe=RECIPE)
    assert can_be_captured(model, cuda)  # type: ignore[arg-type]
    assert not can_be_captured(nn.Sequential(model, Own()), cuda)  # type: ignore[arg-type]
    cuda.recipe = load_recipe("transfer")
    assert not can_be_captured(model, cuda)  # type: ignore[arg-type]


class Own(nn.Module):
    """Not of this package."""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["v0", "v2", "mlp-wide", "resnet20", "vit"])
def test_on_cuda_a_captured_run_ends_where_an_eager_one_ends(
    name: str, few: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe("default").override(epochs=2, learning_rate=0.01)
    models, members = [build_model(name, seed=0) for _ in range(2)], []
    for captured, model in zip((True, False), models, strict=True):
        if not captured:
            monkeypatch.setattr("fashionbench.training.step.can_be_captured", lambda *_: False)
            monkeypatch.setattr(
                "fashionbench.training.many_seeds.stack.can_be_captured", lambda *_: False
            )
        fit(model, few, recipe, seed=0, device="cuda")
        members.append([build_model(name, seed) for seed in (0, 1)])
        fit_members(members[-1], few, recipe, (0, 1), device="cuda")
    for first, second in [models, *zip(*members, strict=True)]:
        for a, b in zip(first.parameters(), second.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
