"""MODELS: the one table that names the models.

The table holds references, not classes: reading it imports no torch, and a person's own
model (`file.py:Name`, `package.module:Name`) is found in the same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fashionbench.config.model_spec import ModelSpec
from fashionbench.errors import UsageError

__all__ = ["MODELS", "ModelEntry", "model_entry", "with_known_base"]


@dataclass(frozen=True)
class ModelEntry:
    """Where a model is defined, what its constructor is given, and what it is in one line."""

    reference: str
    """`package.module:Name` or `file.py:Name` of a class or function that returns a module."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    title: str = ""
    """What tables call it; the class's own name where there is no other."""

    @property
    def is_own(self) -> bool:
        """Tell whether a person brought it: it is neither in the table nor a published backbone."""
        return not self.reference.startswith(f"{__package__}.")

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.title or self.reference.rpartition(":")[2]


# The widths of the three first models: 28x28 grey images, 10 hidden units, 10 classes.
_FLAT: dict[str, Any] = {"input_shape": 784, "hidden_units": 10, "output_shape": 10}
_IMAGE: dict[str, Any] = {"input_shape": 1, "hidden_units": 10, "output_shape": 10}


def _zoo(place: str, description: str, title: str = "", **settings: Any) -> ModelEntry:
    return ModelEntry(f"fashionbench.models.zoo.{place}", settings, description, title)


MODELS = {
    "v0": _zoo("mlp:FashionMnistModelV0", "two linear layers with nothing between them", **_FLAT),
    "v1": _zoo(
        "mlp:FashionMnistModelV1", "v0 with a ReLU after each layer, also on the logits", **_FLAT
    ),
    "v2": _zoo(
        "tinyvgg:FashionMNISTModelV2",
        "a small CNN: two blocks of two convolutions and a pooling",
        **_IMAGE,
    ),
    "mlp": _zoo("mlp:MLP", "v1 without the ReLU on the logits, the MLP most people mean", **_FLAT),
    "linear": _zoo("mlp:Linear", "one linear layer, the least that learns"),
    "mlp-wide": _zoo("mlp:WideMLP", "three wide layers with batch normalization and dropout"),
    "lenet": _zoo("lenet:LeNet5", "LeNet-5, the CNN of 1998"),
    "vgg": _zoo("vgg:VGG", "six convolutions with batch normalization"),
    "vgg-tiny": _zoo("vgg:VGG", "vgg with less than 10 thousand parameters", "VGG-tiny", width=6),
    "separable": _zoo("separable:SeparableNet", "depthwise-separable, for few parameters"),
    "speednet": _zoo("airbench:SpeedNet", "fixed whitening, early pooling, made for speed"),
    "convmixer": _zoo("convmixer:ConvMixer", "patches, mixed by place and by channel"),
    "vit": _zoo("vit:ViT", "a small vision transformer"),
    "resnet20": _zoo("resnet:ResNet", "residual net of 20 layers", "ResNet-20", blocks=3),
    "resnet32": _zoo("resnet:ResNet", "residual net of 32 layers", "ResNet-32", blocks=5),
    "resnet44": _zoo("resnet:ResNet", "residual net of 44 layers", "ResNet-44", blocks=7),
    "resnet56": _zoo("resnet:ResNet", "residual net of 56 layers", "ResNet-56", blocks=9),
    "wrn16-4": _zoo("wide_resnet:WideResNet", "wide ResNet", "WRN-16-4", depth=16, widening=4),
    "wrn28-10": _zoo("wide_resnet:WideResNet", "wide ResNet", "WRN-28-10", depth=28, widening=10),
    "wrn40-4": _zoo("wide_resnet:WideResNet", "wide ResNet", "WRN-40-4", depth=40, widening=4),
}


_BUILDERS = {
    "timm": "fashionbench.models.pretrained:build_timm",
    "torchvision": "fashionbench.models.pretrained:build_torchvision",
}


def with_known_base(spec: ModelSpec) -> ModelSpec:
    """Return the spec by the table's own key, for a key in any case or the name of a class.

    Raises UsageError for a class that several keys stand for.
    """
    if spec.base in MODELS or ":" in spec.base:
        return spec
    wanted = spec.base.casefold()
    known = {key: entry for key, entry in MODELS.items() if wanted == key.casefold()} or {
        key: entry
        for key, entry in MODELS.items()
        if wanted in (entry.label.casefold(), entry.reference.rpartition(":")[2].casefold())
    }
    if len(known) > 1:
        raise UsageError(f"{spec.base} may be {' or '.join(known)}; name one.")
    return replace(spec, base=next(iter(known), spec.base))


def model_entry(spec: ModelSpec) -> ModelEntry:
    """Return the entry of a model, with what it is given among its settings and in its title.

    Raises UsageError for a model that is not there or an argument without a value.
    """
    base = spec.base
    home, _, last = base.rpartition(":")
    if home in MODELS or ".py:" in home:
        fault = f"the argument {last!r} has no value" if last else "an argument is missing"
        raise UsageError(f"{spec}: {fault}; write {home}:{last or 'NAME'}=VALUE.")
    if base.endswith(".py"):
        raise UsageError(f"{base} is a file; name the class or function in it, as {base}:Name.")
    if base in MODELS:
        entry = MODELS[base]
    elif hub := spec.hub:
        settings = {"name": base.removeprefix(f"{hub}/")}
        entry = ModelEntry(_BUILDERS[hub], settings, title=base)
    elif ":" in base:
        entry = ModelEntry(base)
    elif base and Path(base).is_dir():
        raise UsageError(f"{base} is a folder; to compare the networks in it, write {base}/.")
    else:
        raise UsageError(
            f"There is no model {base!r}; there are {', '.join(MODELS)}, and file.py:Name or "
            "package.module:Name for one of your own, timm/NAME and torchvision/NAME."
        )
    return replace(
        entry,
        settings={**entry.settings, **spec.arguments},
        title=" ".join([entry.label, *spec.without_folders().given]),
    )
