"""A model's name is taken apart and written again."""

from typing import Any

import pytest

from fashionbench.config.model_spec import ModelSpec
from fashionbench.errors import UsageError


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("v2", ModelSpec("v2")),
        ("v2:hidden_units=32", ModelSpec("v2", {"hidden_units": 32})),
        ("package.module:Name", ModelSpec("package.module:Name")),
        (
            "net.py:Net:sizes=(1, 2):name=a",
            ModelSpec("net.py:Net", {"sizes": (1, 2), "name": "a"}),
        ),
        (r"resnet20:weights=C:\w\r.th", ModelSpec("resnet20", weights=r"C:\w\r.th")),
        (
            "resnet20:mean=0.4:weights=runs/12:30/r.th:sd=0.2",
            ModelSpec("resnet20", {"mean": 0.4, "sd": 0.2}, "runs/12:30/r.th"),
        ),
        ("v2:weights=None", ModelSpec("v2")),
        ("v2:weights=w.pt:head=new", ModelSpec("v2", weights="w.pt", new_head=True)),
        ("net:head=new", ModelSpec("net", {"head": "new"})),
        ("net:head=wide:weights=w.pt", ModelSpec("net", {"head": "wide"}, weights="w.pt")),
    ],
)
def test_arguments_and_weights_are_told_from_names_and_paths(name: str, spec: ModelSpec) -> None:
    assert ModelSpec.parse(name) == spec
    assert ModelSpec.parse(str(spec)) == spec


def test_a_name_has_what_was_given_in_the_order_of_the_alphabet() -> None:
    """Job keys hash the name: one model must have one."""
    arguments: dict[str, Any] = {"width": 8, "depth": 2, "dropout": None}
    spec = ModelSpec("net", arguments, "a/b.pt")
    assert str(spec) == "net:depth=2:dropout=None:weights=a/b.pt:width=8"


def test_an_argument_is_given_once() -> None:
    with pytest.raises(UsageError, match="net:width=8:width=9: width is given twice"):
        ModelSpec.parse("net:width=8:width=9")


@pytest.mark.parametrize(
    ("base", "hub"),
    [("timm/resnet18", "timm"), ("torchvision/alexnet", "torchvision"), ("v2", "")]
    + [(base, "") for base in ("timm", "timm/mine.py:Net", "nets/mine.py:Net")],
)
def test_a_backbone_names_its_hub(base: str, hub: str) -> None:
    assert ModelSpec(base).hub == hub


def test_without_weights_of_others_a_backbone_is_not_pretrained() -> None:
    spec = ModelSpec("v2", {"hidden_units": 3}, "w.pt")
    assert spec.without_weights() == ModelSpec("v2", {"hidden_units": 3})
    bare = ModelSpec("timm/resnet18", weights="w.pt").without_weights()
    assert bare == ModelSpec("timm/resnet18", {"pretrained": False})


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_files_are_shown_without_their_folders(separator: str) -> None:
    spec = ModelSpec(separator.join(("nets", "my.py:Net")), weights=separator.join(("a", "w.pt")))
    assert str(spec.without_folders()) == "my.py:Net:weights=w.pt"
    assert ModelSpec("timm/resnet18").without_folders() == ModelSpec("timm/resnet18")
