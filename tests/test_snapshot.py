"""What a network holds: structure without bits, state bit by bit, copies of all kinds."""

import dataclasses
import enum
import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import own_nets
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fashionbench.core.copies import copy_model
from fashionbench.core.global_state import seeded
from fashionbench.core.snapshot import (
    constants,
    fingerprint,
    hidden_layers,
    is_known,
    plain_state,
    structure,
    summary,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")


@dataclasses.dataclass
class Settings:
    width: int


class Mode(enum.Enum):
    FAST = 1
    SLOW = 2


class Slotted:
    __slots__ = ("width",)

    def __init__(self, width: int) -> None:
        self.width = width


def twice(x: float) -> float:
    return 2 * x


HELD: dict[str, tuple[object, object]] = {
    "whole number": (1, 2),
    "float": (0.1, 0.2),
    "text": ("a", "b"),
    "none": (None, 0),
    "list": ([1, [2]], [1, [3]]),
    "dict": ({"a": {"b": 1}}, {"a": {"b": 2}}),
    "set": ({1, 2}, {1, 3}),
    "tuple": ((1,), (1, 2)),
    "namespace": (SimpleNamespace(a=1), SimpleNamespace(a=2)),
    "dataclass": (Settings(1), Settings(2)),
    "enum": (Mode.FAST, Mode.SLOW),
    "slots": (Slotted(1), Slotted(2)),
    "function": (F.relu, F.gelu),
    "class": (nn.ReLU, nn.GELU),
    "partial": (functools.partial(twice, 1), functools.partial(twice, 2)),
    "type of numbers": (torch.float32, torch.float64),
    "shape of a tensor": (torch.zeros(2), torch.zeros(3)),
    "type of an array": (np.zeros(2), np.zeros(2, np.float32)),
    "layer": (nn.Linear(1, 2), nn.Linear(1, 3)),
    "path": (Path("a"), Path("b")),
}


def holding(value: object) -> nn.Module:
    model = own_nets.Plain()
    model.held = value
    return model


@pytest.mark.parametrize("kind", HELD)
def test_a_plain_attribute_is_part_of_the_structure(kind: str) -> None:
    one, other = (structure(holding(value)) for value in HELD[kind])
    assert one != other
    assert one == structure(holding(HELD[kind][0]))


STRUCTURES: dict[str, Callable[[], nn.Module]] = {
    "width": lambda: nn.Sequential(nn.Linear(4, 3)),
    "type": lambda: nn.Sequential(nn.Linear(4, 2, dtype=torch.float64)),
    "bias": lambda: nn.Sequential(nn.Linear(4, 2, bias=False)),
    "kind": lambda: nn.Sequential(nn.Bilinear(4, 4, 2)),
    "argument": lambda: nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.1)),
    "frozen": lambda: nn.Sequential(nn.Linear(4, 2)).requires_grad_(False),
    "order": lambda: nn.Sequential(nn.ReLU(), nn.Linear(4, 2)),
}


@pytest.mark.parametrize("what", STRUCTURES)
def test_what_is_built_is_told_apart(what: str) -> None:
    usual = nn.Sequential(nn.Linear(4, 2))
    assert structure(STRUCTURES[what]()) != structure(usual)
    assert structure(nn.Sequential(nn.Dropout(0.1))) != structure(nn.Sequential(nn.Dropout(0.2)))


def test_no_bit_of_a_weight_is_part_of_the_structure() -> None:
    with seeded(0):
        one, other = own_nets.Plain(), own_nets.Plain()
    assert structure(one) == structure(other)
    assert constants(one, other) == {}
    # What rounding does to the same weights on another machine.
    rounded = copy_model(one)
    with torch.no_grad():
        for parameter in rounded.parameters():
            parameter.mul_(1 + 1e-6)
    assert constants(one, one) == constants(rounded, rounded)
    with torch.no_grad():
        rounded.a.weight[0, 0] += 100
    assert constants(one, one) != constants(rounded, rounded)


def test_an_argument_that_torch_adds_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = structure(nn.Sequential(nn.Dropout(0.1)))

    class Dropout(nn.Dropout):
        def __init__(self, p: float = 0.5, inplace: bool = False, fancy: bool = True) -> None:
            super().__init__(p, inplace)
            self.fancy = fancy

    Dropout.__module__, Dropout.__qualname__ = nn.Dropout.__module__, "Dropout"
    assert structure(nn.Sequential(Dropout(0.1))) == before
    assert structure(nn.Sequential(Dropout(0.1, fancy=False))) != before


CHANGES: dict[str, Callable[[nn.Module], object]] = {
    "a bit of a tensor": lambda m: m.kept.add_(1e-7),
    "an entry of a list": lambda m: m.seen.append(1),
    "a number": lambda m: setattr(m, "scale", m.scale + 1e-12),
    "a generator of numpy": lambda m: m.rng.random(),
    "a generator of torch": lambda m: torch.rand(1, generator=m.generator),
    "an unsaved buffer": lambda m: m.unsaved.add_(1),
    "the class": lambda m: setattr(type(m), "steps", type(m).steps + 1),
    "a global value": lambda m: own_nets.WARMTH.update(now=own_nets.WARMTH["now"] * 0.5),
    "within an object": lambda m: setattr(m.settings, "width", 9),
    "a layer in a list": lambda m: m.more[0].weight.data.add_(1),
}


class Holding(own_nets.SharedDict):
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.kept, self.seen, self.scale = torch.ones(3), [0], 1.0
        self.rng, self.generator = np.random.default_rng(0), torch.Generator()
        self.settings, self.more = Settings(8), [nn.Linear(2, 2)]
        self.register_buffer("unsaved", torch.zeros(2), persistent=False)
        self.register_buffer("saved", torch.zeros(2))


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_of_the_plain_state_is_seen(what: str) -> None:
    model = Holding()
    before = plain_state(model)
    assert plain_state(model) == before
    CHANGES[what](model)
    assert sum(before[name] != plain_state(model)[name] for name in before) >= 1


def test_what_a_checkpoint_holds_is_no_plain_state() -> None:
    model = Holding()
    before = plain_state(model)
    model.eval()
    with torch.no_grad():
        model.saved.add_(1)
        for parameter in model.parameters():
            parameter.add_(1)
    assert plain_state(model) == before


class Recurrent(nn.LSTM):
    """Torch keeps its parameters in a plain list too."""


@pytest.mark.parametrize(
    "build",
    [
        own_nets.OldNorm,
        own_nets.NewNorm,
        own_nets.Pruned,
        own_nets.Tied,
        own_nets.RandomFeatures,
        lambda: Recurrent(3, 4),
        lambda: nn.MultiheadAttention(4, 2),
        lambda: nn.LazyLinear(3),
    ],
)
def test_fresh_parameters_are_no_plain_state_and_copies_are_whole(
    build: Callable[[], nn.Module],
) -> None:
    one, other = build(), build()
    if build is not own_nets.RandomFeatures:
        assert plain_state(one) == plain_state(other)
    copied = copy_model(one)
    assert plain_state(copied) == plain_state(one)
    assert [*copied.state_dict()] == [*one.state_dict()]


@pytest.mark.parametrize(
    ("build", "hidden"),
    [
        (own_nets.Plain, []),
        (own_nets.PlainList, ["more"]),
        (own_nets.LooseTensor, ["gain"]),
        (lambda: holding({"a": [nn.Linear(1, 1)]}), ["held"]),
        (lambda: holding(SimpleNamespace(layer=nn.Linear(1, 1))), []),
        (lambda: holding(Settings(nn.Linear(1, 1))), ["held"]),
        (lambda: holding((nn.Parameter(torch.ones(1)),)), ["held"]),
        (lambda: holding([nn.ReLU()]), []),
        (lambda: nn.Sequential(own_nets.PlainList()), ["0.more"]),
    ],
)
def test_weights_that_torch_overlooks_are_found(
    build: Callable[[], nn.Module], hidden: list[str]
) -> None:
    assert hidden_layers(build()) == hidden


def test_layers_that_are_listed_twice_are_not_hidden() -> None:
    model = own_nets.Plain()
    model.order = [model.a, model.b]
    assert hidden_layers(model) == []


def test_an_object_that_holds_itself_and_the_environment_have_an_end() -> None:
    endless: list[object] = [1]
    endless.append(endless)
    assert fingerprint(endless) == fingerprint(endless)
    assert "PATH" not in fingerprint(os.environ)


def test_a_summary_is_of_values_and_place() -> None:
    values = torch.tensor([1.0, 2.0, 4.0])
    assert summary(values) != summary(values.flip(0))
    assert summary(values) != summary(2 * values)
    assert summary(values) == summary(values * (1 + 1e-7))


def test_a_method_of_ones_own_on_a_layer_of_torchs_is_not_known() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    assert is_known(net)
    net[1].forward = lambda x: x
    assert not is_known(net)
    assert not is_known(own_nets.Plain())


class Base(nn.Module):
    STEPS = 0


class Derived(Base):
    """Has a number of its class, which hides that of the class beneath."""


def test_a_number_of_a_class_that_hides_one_beneath_it_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Derived()
    before = plain_state(model)
    monkeypatch.setattr(Derived, "STEPS", 1, raising=False)
    assert plain_state(model) != before
