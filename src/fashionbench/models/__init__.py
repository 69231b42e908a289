"""The architectures, by family, and the one table that names them.

The table holds references, not classes: reading it imports no torch, and a person's own
model (`file.py:Name`, `package.module:Name`) is found in the same way.
"""

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashionbench.errors import UsageError
from fashionbench.models.own import build_own, for_classes
from fashionbench.own_code import digest, digest_file, is_own, locate, takes

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "MODELS",
    "ModelEntry",
    "build_model",
    "identify",
    "is_unchanged",
    "model_entry",
    "without_weights",
]


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
    def label(self) -> str:
        """What tables call it, and what it was given."""
        shown = {k: Path(v).name if k == WEIGHTS else v for k, v in self.given.items()}
        given = [f"{key}={value}" for key, value in shown.items()]
        return " ".join([self.title or self.reference.rpartition(":")[2], *given])


# The widths of the three first models: 28x28 grey images, 10 hidden units, 10 classes.
_FLAT: dict[str, Any] = {"input_shape": 784, "hidden_units": 10, "output_shape": 10}
_IMAGE: dict[str, Any] = {"input_shape": 1, "hidden_units": 10, "output_shape": 10}


def _own(place: str, description: str, title: str = "", **settings: Any) -> ModelEntry:
    return ModelEntry(f"fashionbench.models.{place}", settings, description, title)


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
    base, given = _parse(name)
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
    return replace(entry, settings={**entry.settings, **given}, given=_parse(name)[1])


def _parse(name: str) -> tuple[str, dict[str, Any]]:
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


def identify(model: str | Callable[[], "nn.Module"]) -> tuple[str, str]:
    """The name of a model and a digest of its source, which is "" for those of the table.

    After a `+` comes the digest of a file of weights. A class or function of one's own is
    named `module:Name`; the digest tells runs of an edited model from those before. Arguments
    that are the defaults fall away, so that one model has one name.
    Raises UsageError for arguments that the model does not take.
    """
    if isinstance(model, str):
        base, given = _parse(model)
        entry, usual = model_entry(model), model_entry(base)
        if given:
            given = _checked(entry, usual, model)
        name = ":".join([base, *(f"{key}={value}" for key, value in sorted(given.items()))])
        of_table = entry.reference.startswith(f"{__package__}.")
        source = "" if of_table else digest(locate(base), base)
        if WEIGHTS in given:
            from fashionbench.models.weights import digest_weights

            source = f"{source}+{digest_weights(str(given[WEIGHTS]))}"
        return name, source
    if not callable(model) or "<" in getattr(model, "__qualname__", "<"):
        raise UsageError(
            f"{model!r} cannot be rebuilt by its name; give a class or a function "
            "defined at the top level of a module, without calling it."
        )
    return f"{model.__module__}:{model.__qualname__}", digest(model, "")


def _checked(entry: ModelEntry, usual: ModelEntry, name: str) -> dict[str, Any]:
    """What was given and is not the default anyway."""
    build = locate(entry.reference)
    parameters = inspect.signature(build).parameters
    free = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for key in entry.given:
        if key not in parameters and key != WEIGHTS and not free:
            raise UsageError(f"{name}: there is no argument {key!r}; there are {takes(build)}.")
    defaults = {key: p.default for key, p in parameters.items()} | dict(usual.settings)
    return {key: value for key, value in entry.given.items() if value != defaults.get(key)}


def is_unchanged(name: str, source: str) -> bool:
    """Whether `identify` still gives `source` for a name that was read from a file.

    A file comes from wherever, and what it names is called to be rebuilt. So nothing is run of a
    source that has changed, and nothing is called but a module, what is annotated to return one,
    and functions of a person's own; UsageError for others.
    """
    from torch import nn

    base, _ = _parse(name)
    reference = model_entry(base).reference
    if not reference.startswith(f"{__package__}."):
        home = reference.rpartition(":")[0]
        if home.endswith(".py") and digest_file(home) != source.partition(".")[0]:
            return False
        build = locate(reference)
        gives = build if isinstance(build, type) else _annotated(build)
        is_model = isinstance(gives, type) and issubclass(gives, nn.Module)
        if not is_model and (isinstance(build, type) or not is_own(build)):
            raise UsageError(
                f"{reference} is not run: it is neither a torch.nn.Module, nor a function that is "
                "your own or annotated to return one."
            )
    return identify(name)[1] == source


def _annotated(build: Callable[..., Any]) -> Any:
    """What a function is annotated to return; None where that cannot be told."""
    try:
        return inspect.get_annotations(build, eval_str=True).get("return")
    except Exception:  # evaluates whatever text stands there
        return None


def without_weights(name: str) -> str:
    """The name of the same model, begun with no weights of others."""
    base, given = _parse(name)
    if base.partition("/")[0] in _PRETRAINED:
        given["pretrained"] = False
    return ":".join([base, *(f"{k}={value}" for k, value in given.items() if k != WEIGHTS)])


def build_model(
    name: str, seed: int = 0, classes: int = 10, tell: Callable[[str], object] = lambda text: None
) -> "nn.Module":
    """Build a model with the initial weights that `seed` gives, leaving torch's own seed alone.

    Weights from a file, where the name has any, replace those that fit; `tell` is told which.

    The module takes (B, 1, 28, 28) pixels in [0, 1] and gives (B, K) logits; one that was made
    for other pictures is put behind an adapter. Raises UsageError if it cannot be had.
    """
    import torch

    from fashionbench.seeds import derive_seed

    entry = model_entry(name)
    build: Callable[..., nn.Module] = locate(entry.reference)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "initialisation"))
        settings = for_classes(build, entry.settings, entry.given, classes)
        if name in MODELS:
            return build(**settings)
        model = build_own(build, _parse(name)[0], settings, classes)
    if WEIGHTS in entry.given:
        from fashionbench.models.weights import load_weights

        file = str(entry.given[WEIGHTS])
        tell(f"{name}: {load_weights(model, file, name)}")
    return model
