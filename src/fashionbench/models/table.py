"""The one table that names the models, and the names that people give.

The table holds references, not classes: reading it imports no torch, and a person's own
model (`file.py:Name`, `package.module:Name`) is found in the same way.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fashionbench.errors import UsageError

__all__ = ["MODELS", "WEIGHTS", "ModelEntry", "model_entry", "parse_name", "without_weights"]


@dataclass(frozen=True)
class ModelEntry:
    """Where a model is defined, what its constructor is given, and what it is in one line."""

    reference: str
    """`package.module:Name` or `file.py:Name` of a class or function that returns a module."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    title: str = ""
    """What tables call it; the class's own name where there is no other."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """The settings that a person gave, which are part of the name."""

    @property
    def is_own(self) -> bool:
        """Whether a person brought it: it is neither in the table nor a published backbone."""
        return not self.reference.startswith(f"{__package__}.")

    @property
    def label(self) -> str:
        """What tables call it, and what it was given."""
        shown = {k: Path(v).name if k == WEIGHTS else v for k, v in self.given.items()}
        given = [f"{key}={value}" for key, value in shown.items()]
        return " ".join([self.title or self.reference.rpartition(":")[2], *given])


# The widths of the three first models: 28x28 grey images, 10 hidden units, 10 classes.
_FLAT: dict[str, Any] = {"input_shape": 784, "hidden_units": 10, "output_shape": 10}
_IMAGE: dict[str, Any] = {"input_shape": 1, "hidden_units": 10, "output_shape": 10}


def _own(place: str, description: str, title: str = "", **settings: Any) -> ModelEntry:
    return ModelEntry(f"fashionbench.models.zoo.{place}", settings, description, title)


MODELS = {
    "v0": _own("mlp:FashionMnistModelV0", "two linear layers with nothing between them", **_FLAT),
    "v1": _own(
        "mlp:FashionMnistModelV1", "v0 with a ReLU after each layer, also on the logits", **_FLAT
    ),
    "v2": _own(
        "tinyvgg:FashionMNISTModelV2",
        "a small CNN: two blocks of two convolutions and a pooling",
        **_IMAGE,
    ),
    "mlp": _own("mlp:MLP", "v1 without the ReLU on the logits, the MLP most people mean", **_FLAT),
    "linear": _own("mlp:Linear", "one linear layer, the least that learns"),
    "mlp-wide": _own("mlp:WideMLP", "three wide layers with batch normalization and dropout"),
    "lenet": _own("lenet:LeNet5", "LeNet-5, the CNN of 1998"),
    "vgg": _own("vgg:VGG", "six convolutions with batch normalization"),
    "vgg-tiny": _own("vgg:VGG", "vgg with less than 10 thousand parameters", "VGG-tiny", width=6),
    "separable": _own("separable:SeparableNet", "depthwise-separable, for few parameters"),
    "speednet": _own("airbench:SpeedNet", "fixed whitening, early pooling, made for speed"),
    "convmixer": _own("convmixer:ConvMixer", "patches, mixed by place and by channel"),
    "vit": _own("vit:ViT", "a small vision transformer"),
    "resnet20": _own("resnet:ResNet", "residual net of 20 layers", "ResNet-20", blocks=3),
    "resnet32": _own("resnet:ResNet", "residual net of 32 layers", "ResNet-32", blocks=5),
    "resnet44": _own("resnet:ResNet", "residual net of 44 layers", "ResNet-44", blocks=7),
    "resnet56": _own("resnet:ResNet", "residual net of 56 layers", "ResNet-56", blocks=9),
    "wrn16-4": _own("wide_resnet:WideResNet", "wide ResNet", "WRN-16-4", depth=16, widening=4),
    "wrn28-10": _own("wide_resnet:WideResNet", "wide ResNet", "WRN-28-10", depth=28, widening=10),
    "wrn40-4": _own("wide_resnet:WideResNet", "wide ResNet", "WRN-40-4", depth=40, widening=4),
}


_PRETRAINED = {
    "timm": "fashionbench.models.pretrained:build_timm",
    "torchvision": "fashionbench.models.pretrained:build_torchvision",
}
WEIGHTS = "weights"
"""The argument that every model takes: a file with the weights that it begins with."""


def model_entry(name: str) -> ModelEntry:
    """The entry of a name: a key of the table or a reference, with arguments after colons.

    Raises UsageError for a model that is not there or an argument that cannot be meant.
    """
    base, given = parse_name(name)
    given.pop(WEIGHTS, None)
    family, slash, backbone = base.partition("/")
    home, _, last = base.rpartition(":")
    if home in MODELS or ".py:" in home:
        told = f"the argument {last!r} has no value" if last else "an argument is missing"
        raise UsageError(f"{name}: {told}; write {home}:{last or 'NAME'}=VALUE.")
    if base.endswith(".py"):
        raise UsageError(f"{base} is a file; name the class or function in it, as {base}:Name.")
    if base in MODELS:
        entry = MODELS[base]
    elif slash and family in _PRETRAINED and ":" not in base:
        entry = ModelEntry(_PRETRAINED[family], {"name": backbone}, title=base)
    elif ":" in base:
        entry = ModelEntry(base)
    else:
        raise UsageError(
            f"There is no model {base!r}; there are {', '.join(MODELS)}, and file.py:Name or "
            "package.module:Name for one of your own, timm/NAME and torchvision/NAME."
        )
    return replace(entry, settings={**entry.settings, **given}, given=parse_name(name)[1])


def parse_name(name: str) -> tuple[str, dict[str, Any]]:
    """`v2:hidden_units=32` -> `v2` and its arguments, which are Python's literals or text."""
    base, given = name, {}
    while ":" in base:
        rest, _, argument = base.rpartition(":")
        key, is_given, text = argument.partition("=")
        if f":{WEIGHTS}=" in base and not (is_given and key.strip().isidentifier()):
            rest, key, text = base.partition(f":{WEIGHTS}=")  # a path may hold colons
            key = WEIGHTS
        elif not is_given:
            break
        base = rest
        try:
            given[key.strip()] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            given[key.strip()] = text
    return base, dict(reversed(given.items()))


def without_weights(name: str) -> str:
    """The name of the same model, begun with no weights of others."""
    base, given = parse_name(name)
    if base.partition("/")[0] in _PRETRAINED:
        given["pretrained"] = False
    return ":".join([base, *(f"{k}={value}" for k, value in given.items() if k != WEIGHTS)])
