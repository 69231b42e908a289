"""A name and a seed -> a network with its first weights, ready for (B, 1, 28, 28) pixels."""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fashionbench.config.model_spec import ModelSpec
from fashionbench.core.global_state import seeded
from fashionbench.core.own_code import (
    describe_arguments,
    describe_error,
    importable_neighbours,
    locate,
)
from fashionbench.core.seeds import Seed, derive_seed
from fashionbench.core.shape import GREY28, Shape, remember_shape
from fashionbench.core.whole_numbers import check_whole
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.models.table import MODELS, ModelEntry, model_entry, with_known_base

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fashionbench.models.adapter import Interface

__all__ = ["build_model", "construct"]

logger = logging.getLogger(__name__)

_FOR_CLASSES = ("classes", "num_classes", "n_classes", "output_shape")
"""What constructors call the number of classes."""
_FOR_CHANNELS = ("channels", "in_channels", "in_chans", "num_channels")
_FOR_SIDE = ("side", "image_size", "img_size")


def build_model(
    name: str,
    seed: Seed = 0,
    classes: int = 10,
    *,
    tell: Callable[[str], object] = logger.warning,
    images: "Tensor | None" = None,
    shape: Shape | None = None,
    interface: "Interface | None" = None,
    whole: bool = False,
) -> "nn.Module":
    """Build a model with the initial weights that `seed` gives, leaving all generators alone.

    Weights from a file, if the name has any, replace those that match; `tell` gets a line on them.
    With `whole` they must be all of the model's, which can then be used without training.

    The module takes (B, C, H, W) pixels in [0, 1], of a `shape` that is that of `images` or grey
    28x28 by default, and gives (B, K) logits. It is built for them where its constructor can be
    told, and put behind an adapter where it was made for others. What it takes is `interface`, if
    that is known, else found out with some of the uint8 `images`. Raises UsageError if it cannot be
    had, or for a class in place of its name.

    Examples:
        >>> model = fb.build_model("v0", seed=0)
    """
    if not isinstance(name, str):
        raise UsageError(
            f"A model is built by its name, such as 'v0' or my_net.py:MyNet, and {name!r} is none."
        )
    check_whole("classes", classes, 1)
    spec = with_known_base(ModelSpec.parse(name))
    entry = model_entry(spec)
    shape = shape or (GREY28 if images is None else Shape.of(images))
    model = construct(spec, seed, classes, shape)
    remember_shape(model, shape)
    if name in MODELS:
        return model
    from fashionbench.models.own import adapt

    with importable_neighbours(entry.reference), seeded(derive_seed(seed, "initialisation")):
        anew = partial(construct, spec, seed, classes, shape)
        model = adapt(model, anew, spec.base, classes, images, shape, interface)
    remember_shape(model, shape)
    if spec.weights is not None:
        from fashionbench.models.weights import load_weights

        new_head = spec.new_head
        found = load_weights(
            model, spec.weights, str(spec), classes, new_head=new_head, whole=whole
        )
        tell(f"{spec}: {found}")
    return model


def construct(spec: ModelSpec, seed: Seed, classes: int, shape: Shape = GREY28) -> "nn.Module":
    """Call what `spec` refers to, all that it may draw from seeded; nothing is asked of the result.

    Raises UsageError, in terms of the person's own file and line, for a model that cannot be built.
    """
    import torch

    entry = model_entry(spec)
    build: Callable[..., Any] = locate(entry.reference)
    settings = _for_data(build, entry, spec, classes, shape)
    derived = derive_seed(seed, "initialisation")
    try:
        if str(spec) in MODELS:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(derived)
                return build(**settings)  # type: ignore[no-any-return]
        with importable_neighbours(entry.reference), seeded(derived):
            model = build(**settings)
    except FashionbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{spec.base} cannot be built: {describe_error(error)} Arguments are given as "
            f"{spec.base}:name=value; it takes {describe_arguments(build)}."
        ) from None
    if not isinstance(model, torch.nn.Module):
        raise UsageError(
            f"{spec.base} gave a {type(model).__name__}; a model is a torch.nn.Module."
        )
    return model


def _for_data(
    build: Callable[..., Any], entry: ModelEntry, spec: ModelSpec, classes: int, shape: Shape
) -> Mapping[str, Any]:
    """Add the number of classes, if the constructor takes it and nobody gave it.

    So with channels and side, where images are other than grey 28x28. What the three first models
    call `input_shape` is a number of channels, or of all pixels.
    """
    parameters = inspect.signature(build).parameters
    given = {**entry.settings}

    def add(names: Sequence[str], value: int) -> None:
        free = [name for name in names if name in parameters and name not in spec.arguments]
        given.update(dict.fromkeys(free[:1], value))

    add(_FOR_CLASSES, classes)
    if shape != GREY28:
        add(_FOR_CHANNELS, shape.channels)
        add(_FOR_SIDE, shape.side)
        if "input_shape" in entry.settings:
            is_flat = entry.settings["input_shape"] == 28**2
            add(("input_shape",), shape.channels * (shape.side**2 if is_flat else 1))
    return given
