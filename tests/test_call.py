"""A call is written so that Python, reading it, asks for the same again."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import fashionbench as fb
from fashionbench.experiments.call import write_call


class Net(nn.Linear):
    """A person's own."""


def ask(
    models: Any = ("v0", "v1"),
    *,
    seeds: int | Iterable[int] = 5,
    recipes: Any = "default",
    out: Path | str | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Stand for a function with arguments of the kinds that compare has."""
    return locals()


def read(call: str, **names: Any) -> dict[str, Any]:
    assert call.startswith("fb.ask(")
    return eval(call.removeprefix("fb."), {"ask": ask, "fb": fb} | names)


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert write_call(ask, ask()) == 'fb.ask(["v0", "v1"])'
    asked = ask("v2", seeds=3, recipes="default", epochs=1, augmentation="flip")
    assert write_call(ask, asked) == 'fb.ask("v2", seeds=3, epochs=1, augmentation="flip")'


@pytest.mark.parametrize(
    "asked",
    [
        ask(["v0", "mlp"], seeds=[7, 0], out='runs/a "b" \\ ü'),
        ask("v0", recipes=["default", fb.load_recipe("default").override(epochs=5)]),
        ask("v0", recipes=fb.load_recipe("adam").override(betas=(0.8, 0.9), train_images=9)),
        ask("v0", recipes=fb.Recipe(name="mine", learning_rate=0.25, augmentation=["flip"])),
        ask("v0", recipes=fb.Recipe(name="default", description="not the shipped one", epochs=7)),
        ask("v0", tune={"learning_rate": "log 1/32..32", "momentum": "linear 0..0.9"}),
        ask("v0", seeds=range(3, 9), learning_rate=1e-3, patience=None),
    ],
)
def test_what_is_read_back_is_what_was_asked(asked: dict[str, Any]) -> None:
    assert read(write_call(ask, asked)) == asked


def test_a_path_is_written_as_text() -> None:
    call = write_call(ask, ask("v0", out=Path("runs") / "mine"))
    assert read(call)["out"] == str(Path("runs/mine"))


def test_a_class_is_named_so_that_it_is_found_from_anywhere() -> None:
    assert read(write_call(ask, ask([Net, "v0"])))["models"] == [f"{__name__}:Net", "v0"]


def test_a_partial_is_named_with_its_arguments_and_a_dict_with_its_names() -> None:
    asked = ask({"wide": partial(Net, 784, out_features=10), "v0": "v0"})
    assert read(write_call(ask, asked))["models"] == {
        "wide": f"{__name__}:Net:in_features=784:out_features=10",
        "v0": "v0",
    }


def test_what_a_script_defines_has_its_bare_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Net, "__module__", "__main__")
    assert read(write_call(ask, ask([Net])), Net=Net)["models"] == [Net]
