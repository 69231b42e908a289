"""Members beside each other end where runs of their own end: in turn on the CPU, and on CUDA."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import torch
from factories import Stream, jobs

from fashionbench.config.execution import Execution
from fashionbench.config.recipe import Recipe, load_recipe
from fashionbench.data.split import Dataset, Split
from fashionbench.experiments import launch
from fashionbench.experiments.launch import Bench, run_missing
from fashionbench.experiments.run import run_job
from fashionbench.experiments.strategy import Choice
from fashionbench.models.build import build_model
from fashionbench.store.run_store import RunStore
from fashionbench.training.history import History
from fashionbench.training.kernels.compiler import SWITCH
from fashionbench.training.loop import fit
from fashionbench.training.many_seeds.members import fit_members
from fashionbench.training.many_seeds.trial import can_use_streams


@pytest.fixture(autouse=True)
def _torch_trains_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does where there are streams."""
    monkeypatch.setenv(SWITCH, "off")


SEEDS = (0, 1, 7)
RECIPE = load_recipe("default").override(epochs=2)
FULL = RECIPE.override(
    epochs=3,
    momentum=0.9,
    learning_rate=0.02,
    gradient_clip=1,
    schedule="cosine",
    augmentation="flip,shift:2",
    mixing="cutmix:1",
    ema=0.9,
    validation_images=100,
)
STOPPED = RECIPE.override(epochs=12, learning_rate=0.3, validation_images=150, patience=1, ema=0.5)


def both_ways(
    name: str, recipe: Recipe, data: Split, device: str
) -> Iterator[tuple[torch.nn.Module, torch.nn.Module, History, History]]:
    """A model trained alone, the same one among others, and what is known of both runs."""
    singles, members = ([build_model(name, seed) for seed in SEEDS] for _ in range(2))
    alone = [
        fit(model, data, recipe, seed, device=device)
        for model, seed in zip(singles, SEEDS, strict=True)
    ]
    together = fit_members(members, data, recipe, SEEDS, device=device, strategy="streams")
    yield from zip(singles, members, alone, together, strict=True)


@pytest.mark.slow
@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize(
    ("name", "recipe"), [("v2", RECIPE), ("resnet20:width=4", FULL), ("mlp", STOPPED)]
)
def test_a_member_ends_where_its_own_run_ends(name: str, recipe: Recipe, few: Split) -> None:
    epochs = set()
    for single, member, alone, together in both_ways(name, recipe, few, "cpu"):
        for a, b in zip(single.state_dict().values(), member.state_dict().values(), strict=True):
            assert torch.equal(a, b)
        assert together.curve == alone.curve
        assert together.validation_curve == alone.validation_curve
        assert together.train_seconds is None
        epochs.add(together.epochs)
    assert (len(epochs) > 1) == (recipe is STOPPED)


def test_streams_part_before_the_members_compute_and_meet_afterwards(
    few: Split, streams: type[Stream]
) -> None:
    models, here = [build_model("v0", seed) for seed in SEEDS], streams.current
    fit_members(models, few, RECIPE.override(epochs=1), SEEDS, device="cpu", strategy="streams")
    members = [stream for stream, what, _ in streams.log if what == "computes"][: len(SEEDS)]
    assert len({*members, here}) == len(SEEDS) + 1
    parting = [[(k, "waits for", here), (k, "computes", None)] for k in members]
    meeting = [(here, "waits for", k) for k in members]
    steps = 16
    assert streams.log == [*chain(*parting), *meeting] * steps


@pytest.mark.slow
@pytest.mark.usefixtures("streams")
def test_more_seeds_than_streams_are_several_groups(
    tmp_path: Path, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "choose", lambda *_, **__: Choice("streams", "they were fast", 2))
    cpu, asked = torch.device("cpu"), jobs("lenet", 3)
    together, alone = (RunStore(tmp_path / name, create=True) for name in ("together", "alone"))
    bench = Bench(silhouettes, None, cpu, together, Execution())
    monkeypatch.setattr(launch, "is_to_be_timed", lambda *_: False)
    run_missing([(0, asked)], bench)
    found = [together.load_run(job) for job in asked]
    assert [run.environment.way for run in found if run] == [
        "streams with 2",
        "streams with 2",
        "streams with 1",
    ]
    for job, run in zip(asked, found, strict=True):
        assert run is not None
        assert run.train_seconds is None
        assert run.scores == run_job(job, silhouettes, cpu, alone).scores


def test_only_what_can_be_captured_uses_streams() -> None:
    model, cuda = build_model("v2"), torch.device("cuda")
    assert can_use_streams(model, RECIPE, cuda)
    assert not can_use_streams(model, RECIPE, torch.device("cpu"))
    assert not can_use_streams(model, load_recipe("transfer"), cuda)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["v2", "mlp", "resnet20:width=4"])
def test_on_cuda_a_member_ends_where_its_own_run_ends(name: str, few: Split) -> None:
    recipe = FULL.override(epochs=2, learning_rate=0.01)
    for single, member, _, _ in both_ways(name, recipe, few, "cuda"):
        for a, b in zip(single.parameters(), member.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
