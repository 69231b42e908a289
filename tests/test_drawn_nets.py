"""Drawn nets give the same answers in every way, or the program has said why not.

The nets are those of `drawn_nets.py`, the ways those of `every_way.py`; that each check of the
program is what finds something is seen where it is switched off.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawn_nets import ROWS, Net, draw_net, net_of
from every_way import Story, Worker, small_data, tell

from fashionbench.experiments.gate import Examination

pytestmark = pytest.mark.filterwarnings("ignore")

DRAWN = range(len(ROWS), len(ROWS) + 16)
"""A sample of what `python tests/every_way.py --nets 2000` looks at."""
IN_ONNX = next(number for number in DRAWN if "not exported" not in draw_net(number).may_be_said)
"""The one of them that is also written as ONNX, which takes seconds: a net that can be exported."""
MENDED = (
    "a number of the file that grows where it is built",
    "a counter of the class",
    "a dict of the file that changes",
    "a buffer of one number seen many times",
    "a drawn buffer that is not saved",
    "a layer made at the first batch",
    "more than tensors to save",
    "a function that changes a buffer of the net",
    "images changed in place",
)
"""Rows of which the program once said too little, too much, or what was not so."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data(tmp_path_factory.mktemp("drawn") / "data")


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Worker]:
    with Worker(tmp_path_factory.mktemp("worker") / "runs", data) as worker:
        yield worker


@pytest.mark.slow
@pytest.mark.parametrize("number", DRAWN)
def test_a_drawn_net_gives_the_same_answers_or_it_is_said_why_not(
    number: int, tmp_path: Path, data: Path, worker: Worker
) -> None:
    net = draw_net(number)
    story = tell(net, tmp_path, data, worker, onnx=number == IN_ONNX)
    assert not story.faults, f"{net}\n{net.source}\n{story.said}"


@pytest.mark.slow
@pytest.mark.parametrize("name", MENDED)
def test_what_was_silent_or_a_false_alarm_once(
    name: str, tmp_path: Path, data: Path, worker: Worker
) -> None:
    net = net_of(name)
    story = tell(net, tmp_path, data, worker)
    assert not story.faults, f"{net.source}\n{story.said}"
    assert {*story.said} == net.may_be_said


def nothing(*_: Any, **__: Any) -> None:
    """The check that says nothing."""


SWITCHES: dict[str, tuple[str, Any, str, str]] = {
    "what is asked before training": (
        "every_way.examine",
        lambda *_: Examination(),
        "a generator that no seed reaches in training",
        "by hand",
    ),
    "what is asked after training": (
        "fashionbench.experiments.recording.examine_trained",
        lambda *_: {},
        "random once it is trained",
        "by hand",
    ),
    "whether a file is the whole model": (
        "fashionbench.experiments.recording.why_unloadable",
        nothing,
        "a running mean as a tensor",
        "loaded: not in the record",
    ),
    "whether it answers as recorded": (
        "fashionbench.models.checkpoint.answers_as_recorded",
        lambda *_: True,
        "a counter of steps",
        "loaded",
    ),
    "whether it can be stacked": (
        "fashionbench.experiments.strategy.why_not_stackable",
        nothing,
        "a plain tensor that is drawn",
        "stacked",
    ),
    "a step in a stack and one alone": (
        "fashionbench.training.many_seeds.trial._is_near",
        lambda *_: True,
        "a running mean in a buffer that is replaced",
        "stacked",
    ),
    "what a stop would lose": (
        "fashionbench.experiments.states.find_lost_state",
        lambda *_: [],
        "a counter of steps, read in training",
        "resumed",
    ),
    "whether an export answers alike": (
        "fashionbench.inference.export._compare",
        lambda *_: 0.0,
        "otherwise once it is exported",
        "exported",
    ),
    "whether a layout changes the answers": (
        "fashionbench.training.layout._answers_alike",
        lambda *_: True,
        "memory as it lies",
        "not loadable",
    ),
}
"""What is switched off, what stands in its place, a row, and the way that is then wrong."""


@pytest.mark.slow
@pytest.mark.parametrize("check", SWITCHES)
def test_each_check_is_what_finds_something(
    check: str, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch, instead, name, way = SWITCHES[check]
    net = net_of(name)
    assert not story_of(net, tmp_path / "on", data).faults
    monkeypatch.setattr(switch, instead)
    if switch == "fashionbench.models.checkpoint.answers_as_recorded":
        monkeypatch.setattr("fashionbench.experiments.whole.answers_as_recorded", instead)
        monkeypatch.setattr("fashionbench.experiments.whole._answer_alike", instead)
    faults = story_of(net, tmp_path / "off", data).faults
    assert any(fault.startswith(way) for fault in faults), faults


def story_of(net: Net, folder: Path, data: Path) -> Story:
    return tell(net, folder, data, None)
