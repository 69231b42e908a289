"""The strategy suits the model, the device and what was asked for, and says why."""

from functools import partial

import pytest
import torch
from factories import Asking, jobs

from fashionbench.config.execution import Execution
from fashionbench.data.split import Dataset
from fashionbench.experiments import strategy
from fashionbench.experiments.strategy import choose, is_to_be_timed
from fashionbench.models.build import build_model
from fashionbench.training.kernels.compiler import SWITCH, load_library

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.mark.parametrize(
    ("timed", "seconds", "expected"),
    [(0, 0, True), (0, 3600, True), (1, 9, True), (1, 11, False), (2, 9, True), (3, 0, False)],
)
def test_up_to_three_runs_are_timed_while_they_are_short(
    timed: int, seconds: float, expected: bool
) -> None:
    (job,) = jobs("v0", 1)
    assert is_to_be_timed(job, timed, seconds) == expected
    for changes in ({"scored_on": "validation"}, {"split": 1}):
        assert not is_to_be_timed(job.model_copy(update=changes), timed, seconds)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "way", "chosen"),
    [
        ("v0", "auto", "stacked"),
        ("mlp", "auto", "stacked"),
        ("resnet20", "auto", "processes"),
        ("v2", "stacked", "stacked"),
        ("v0", "processes", "processes"),
    ],
)
def test_the_way_suits_the_model(name: str, way: str, chosen: str, silhouettes: Dataset) -> None:
    found = choose(
        partial(build_model, name), jobs(name, 2)[0], silhouettes.train, Execution(parallel=way), 2
    )
    assert found.strategy == chosen
    assert found.why


@pytest.mark.skipif(load_library() is None, reason="there is no C compiler")
def test_what_the_kernels_compute_is_stacked(silhouettes: Dataset) -> None:
    job = jobs("v2", 2)[0]
    found = choose(partial(build_model, "v2"), job, silhouettes.train, Execution(), 2)
    assert found.strategy == "stacked"


@pytest.mark.parametrize(
    ("model", "vary", "chosen"),
    [
        ("mlp", "order", "stacked"),
        ("mlp-wide", "order", "processes"),
        ("mlp-wide", "all", "stacked"),
    ],
)
def test_where_dropout_is_held_no_stack_draws_it(
    model: str, vary: str, chosen: str, silhouettes: Dataset
) -> None:
    job = jobs(model, 2)[0].model_copy(update={"vary": vary})
    way = Execution(parallel="stacked")
    found = choose(partial(build_model, model), job, silhouettes.train, way, 2)
    assert found.strategy == chosen


def test_without_kernels_convolutions_go_to_processes(
    silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "off")
    job = jobs("v2", 2)[0]
    found = choose(partial(build_model, "v2"), job, silhouettes.train, Execution(), 2)
    assert found.strategy == "processes"


def test_what_cannot_be_stacked_goes_the_next_way_and_says_why(silhouettes: Dataset) -> None:
    job = jobs("v0", 1)[0]
    found = choose(lambda seed: Asking(), job, silhouettes.train, Execution(), 2)
    assert (found.strategy, "item" in found.why) == ("processes", True)
    script = job.model_copy(update={"model": "__main__:Asking"})
    assert (
        choose(lambda seed: Asking(), script, silhouettes.train, Execution(), 2).strategy
        == "serial"
    )


@pytest.mark.parametrize(
    ("stacked", "streams", "chosen"),
    [(3.2, None, "stacked"), (0.4, None, "serial"), (3.2, 4.5, "streams"), (8.9, 6.2, "stacked")],
)
@pytest.mark.parametrize("name", ["v2", "mlp-wide"])
def test_on_an_accelerator_ways_for_convolutions_and_large_matrices_are_tried_out(
    name: str,
    stacked: float,
    streams: float | None,
    chosen: str,
    silhouettes: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def tried(model: object, data: object, recipe: object, members: int, *, strategy: str) -> float:
        asked.append(members)
        return streams if strategy == "streams" else stacked

    monkeypatch.setattr(strategy, "why_not_stackable", lambda *_: None)
    monkeypatch.setattr(strategy, "measure_speedup", tried)
    monkeypatch.setattr(strategy, "can_use_streams", lambda *_: streams is not None)
    monkeypatch.setattr(strategy, "STREAMS", 5)
    meta = torch.device("meta")  # stands for any device that is not the CPU
    job = jobs(name, 1)[0]
    found = choose(partial(build_model, name), job, silhouettes.train.to(meta), Execution(), 7)
    assert (found.strategy, asked) == (chosen, [7] if streams is None else [7, 5])
    assert all(f"{gain} times" in found.why for gain in (stacked, streams) if gain is not None)


@pytest.mark.slow
@pytest.mark.parametrize(("gained", "chosen"), [(1.6, "stacked"), (0.5, "processes")])
def test_on_a_cpu_large_matrices_are_tried_out_and_small_ones_stacked(
    gained: float, chosen: str, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy, "measure_speedup", lambda *_, **way: gained)
    for name, expected in (("mlp-wide", chosen), ("v0", "stacked")):
        found = choose(
            partial(build_model, name), jobs(name, 1)[0], silhouettes.train, Execution(), seeds=4
        )
        assert (found.strategy, f"{gained} times" in found.why) == (expected, name == "mlp-wide")


@pytest.mark.parametrize(("possible", "chosen"), [(True, "streams"), (False, "serial")])
def test_on_an_accelerator_what_cannot_be_stacked_uses_streams_if_it_can(
    possible: bool, chosen: str, silhouettes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy, "why_not_stackable", lambda *_: "it asks")
    monkeypatch.setattr(strategy, "can_use_streams", lambda *_: possible)
    speedups = {"stacked": 9.9, "streams": 2.3}
    monkeypatch.setattr(strategy, "measure_speedup", lambda *_, strategy: speedups[strategy])
    meta = torch.device("meta")
    found = choose(
        partial(build_model, "v0"), jobs("v0", 1)[0], silhouettes.train.to(meta), Execution(), 7
    )
    assert found.strategy == chosen
    assert ("streams 2.3 times" if possible else "cannot be stacked (it asks)") in found.why


def test_processes_are_for_the_cpu(silhouettes: Dataset) -> None:
    meta = torch.device("meta")
    asked = choose(
        partial(build_model, "v2"),
        jobs("v2", 1)[0],
        silhouettes.train.to(meta),
        Execution(parallel="processes"),
        2,
    )
    assert asked.strategy == "serial"
    assert asked.why == "processes were asked for; processes are for the CPU"
