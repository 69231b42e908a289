"""Weights from a file -> a model: read safely, matched by name and shape, and listed."""

import argparse
import hashlib
import pathlib
import pickle
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fashionbench.core.order_of_use import last_layer
from fashionbench.errors import UsageError
from fashionbench.models.adapter import Wrapper

__all__ = ["Matched", "copy_matching", "digest_weights", "load_weights", "read_weights"]

_WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "weights")
_PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before each name."""

_REBUILDERS: list[Any] = [np.float64(0).__reduce__()[0], np.empty(0).__reduce__()[0]]
"""NumPy's functions that unpickle a scalar and an array."""
_NOTES_BESIDE: list[Any] = [
    argparse.Namespace,
    np.dtype,
    np.ndarray,
    *(kind for name, kind in vars(np.dtypes).items() if name.endswith("DType")),
    # By their names before NumPy 2.0 and since, and those of Python before 3.13 and since.
    *(
        (each, f"numpy.{core}.multiarray.{each.__name__}")
        for each in _REBUILDERS
        for core in ("core", "_core")
    ),
    *(
        (pathlib.PurePath, f"{module}.{kind}Path")
        for module in ("pathlib", "pathlib._local")
        for kind in ("Posix", "Windows")
    ),
]
"""What training programs keep beside the tensors, such as the best loss and the arguments: values,
of which none does anything when it is built."""


@dataclass
class Matched:
    """Which tensors of a model came from the file, by name."""

    taken: list[str] = field(default_factory=list)
    summed: list[str] = field(default_factory=list)
    """Taken, as the sum over their three input channels."""
    kept_head: list[str] = field(default_factory=list)
    """Taken, as those of the layer that tells the classes apart."""
    head: list[str] = field(default_factory=list)
    """Of that layer, left as they were: other classes are told apart, or a new head was asked."""
    reshaped: list[str] = field(default_factory=list)
    """Left as they were, since the file's have another shape."""
    missing: list[str] = field(default_factory=list)
    """Left as they were, since the file has none of the name."""
    unused: list[str] = field(default_factory=list)
    """In the file alone."""

    @property
    def is_whole(self) -> bool:
        """Whether all of the model came from the file."""
        return not (self.head or self.reshaped or self.missing)

    def __str__(self) -> str:
        parts = [f"{len(self.taken)} tensors matched"]
        if not self.head and not self.kept_head:
            parts.append("no layer of it is its head alone, so none is new")
        for words, names in (
            ("kept as the head (head=new begins it anew)", self.kept_head),
            ("summed over their channels", self.summed),
            ("new as the head", self.head),
            ("new, since the file has another shape", self.reshaped),
            ("new, since the file lacks them", self.missing),
            ("in the file alone", self.unused),
        ):
            if names:
                more = f" and {len(names) - 4} more" if len(names) > 4 else ""
                parts.append(f"{words}: {', '.join(names[:4])}{more}")
        return "; ".join(parts)


def digest_weights(path: str) -> str:
    """Digest a file's content. Raises UsageError if it cannot be read."""
    return hashlib.sha256(_content(path)).hexdigest()[:16]


def _content(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise UsageError(
            f"The weights {path} cannot be read ({error.strerror}); give the path of a "
            "safetensors file or one that torch.save wrote."
        ) from None


def read_weights(path: str) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, or of one that torch.save wrote; run nothing.

    They may lie in a dict under whatever key, their names after `module.`; values of NumPy's
    beside them are passed over. Raises UsageError for anything else.
    """
    tensors = _find_tensors(_load(path))
    if not tensors:
        raise UsageError(f"{path} holds no tensors by name; save the model's state_dict.")
    if any(_is_quantized(name, value) for name, value in tensors.items()):
        raise UsageError(
            f"{path} holds quantized weights, which cannot be trained on; give those that the "
            "model had before it was quantized."
        )
    return {_bare(key): value for key, value in tensors.items() if isinstance(value, Tensor)}


def _load(path: str) -> Any:
    import io

    from safetensors.torch import load

    content = _content(path)
    try:
        if path.endswith(".safetensors"):
            return load(content)
        # What another library allowed before would be forgotten at the end.
        allowed = torch.serialization.get_safe_globals()
        news = [each for each in _NOTES_BESIDE if each not in allowed]
        with torch.serialization.safe_globals(news):
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # says at length how to run what the file holds
        raise UsageError(_explain_refusal(path, str(error))) from None
    except Exception as error:  # an unpickler may raise anything over what is no pickle
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{path} holds no weights that can be read safely ({reason}); save the model's "
            "state_dict alone, with safetensors or torch.save."
        ) from None


def _explain_refusal(path: str, message: str) -> str:
    thing = re.search(r"GLOBAL ([\w.]+) was not an allowed", message)
    if thing is None:
        return (
            f"{path} is neither a safetensors file nor one of tensors alone that torch.save wrote; "
            "save the model's state_dict alone."
        )
    return (
        f"{path} holds an object of {thing[1]}, and reading it would run code, so nothing of it is "
        "read. If it is a whole model that you trust, write its weights alone: torch.save("
        f"torch.load({path!r}, weights_only=False).state_dict(), 'weights.pth')."
    )


def _find_tensors(found: Any) -> dict[str, Any]:
    """Find the first mapping of names to tensors, the outermost first and usual keys before others.

    One that holds no matrix counts where no other has one: it may be the mean of the pixels.
    """
    for key in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    mappings = [dict(mapping) for mapping in _mappings(found)]
    for least in (2, 0):
        for mapping in mappings:
            tensors = [value for value in mapping.values() if isinstance(value, Tensor)]
            if any(tensor.ndim >= least for tensor in tensors):
                return mapping
    return {}


def _mappings(found: Any) -> Iterator[Mapping[str, Any]]:
    """Yield all mappings by names in a file, the outermost first; not those of optimizers."""
    level = [found]
    while level := [each for each in level if isinstance(each, Mapping)]:
        named = [{k: v for k, v in each.items() if isinstance(k, str)} for each in level]
        yield from named
        level = [
            value for each in named for key, value in each.items() if not key.startswith("optim")
        ]


def _is_quantized(name: str, value: Any) -> bool:
    if not isinstance(value, Tensor):
        return name.endswith("_packed_params")
    whole = not value.is_floating_point() and not value.is_complex()
    return value.is_quantized or (whole and name.endswith("weight"))


def _bare(name: str) -> str:
    before = ""
    while name != before:
        before = name
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
    return name


@torch.no_grad()
def copy_matching(model: nn.Module, weights: Mapping[str, Tensor]) -> Matched:
    """Copy what matches by name and shape into `model`, whose other tensors stay as they are.

    A first convolution for three channels comes into one for grey as the sum over them: exactly
    what the net would do with the grey channel repeated, which is what an Adapter does.
    """
    own, matched = _inside(model).state_dict(), Matched()
    for name, tensor in own.items():
        given = weights.get(name)
        if given is None:
            # A counter of batches is no weight; older files lack it.
            if not name.endswith("num_batches_tracked"):
                matched.missing.append(name)
        elif given.shape == tensor.shape:
            tensor.copy_(given)
            matched.taken.append(name)
        elif _is_grey_version(tensor, given):
            tensor.copy_(given.sum(dim=1, keepdim=True))
            matched.taken.append(name)
            matched.summed.append(name)
        else:
            matched.reshaped.append(name)
    matched.unused = sorted(name for name in weights if name not in own)
    return matched


def _inside(model: nn.Module) -> nn.Module:
    """Return the net that weights belong to."""
    return model.net if isinstance(model, Wrapper) else model


def _find_head(model: nn.Module, classes: int) -> set[str]:
    """Name the tensors, within the net, of the layer that gives a number for each class.

    There are none where the linear layer or convolution that is used last gives something else.
    """
    name = last_layer(model, nn.Linear, nn.Conv2d)
    if name is None:
        return set()
    layer = model.get_submodule(name)
    if getattr(layer, "out_features", getattr(layer, "out_channels", None)) != classes:
        return set()
    within = name.removeprefix("net.") if isinstance(model, Wrapper) else name
    return {f"{within}.{part}" for part in ("weight", "bias")}


def _is_grey_version(tensor: Tensor, given: Tensor) -> bool:
    return (
        tensor.ndim == given.ndim == 4
        and tensor.shape[1] == 1
        and given.shape[1] == 3
        and (tensor.shape[0], *tensor.shape[2:]) == (given.shape[0], *given.shape[2:])
    )


def load_weights(
    model: nn.Module,
    path: str,
    name: str,
    classes: int,
    *,
    new_head: bool = False,
    whole: bool = False,
) -> Matched:
    """Copy the matching weights of a file into `model`, called `name`.

    The head, its last linear layer or convolution, is taken where all of it fits and tells as many
    classes apart, unless it is to be new. Raises UsageError for a file of which nothing matches, or
    that does not hold the `whole` model.
    """
    net, read = _inside(model), read_weights(path)
    known = net.state_dict()
    weights = _renamed(read, known)
    head = _find_head(model, classes) & known.keys()
    fits = all(key in weights and weights[key].shape == known[key].shape for key in head)
    left = set() if fits and not new_head else head
    matched = copy_matching(model, {key: weights[key] for key in weights if key not in left})
    matched.kept_head = [key for key in matched.taken if key in head]
    matched.head = [key for key in matched.missing if key in head]
    matched.missing = [key for key in matched.missing if key not in head]
    if broken := [key for key in matched.taken if not weights[key].isfinite().all()]:
        raise UsageError(
            f"The weights {path} hold numbers that are not finite, in {', '.join(broken[:3])}; "
            "their training diverged, so take others."
        )
    if not any(weights[key].ndim >= 2 for key in matched.taken):
        raise UsageError(
            f"No weight of {path} matches {name}. The file holds, for example, "
            f"{_shapes(weights)}, and the model {_shapes(model.state_dict())}."
        )
    if whole and not matched.is_whole:
        raise UsageError(
            f"The weights {path} are not all of {name} ({matched}), so it cannot be used without "
            "training; give the file and the arguments that the model was trained with."
        )
    return matched


def _renamed(read: Mapping[str, Tensor], known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take off the prefix that lets the most tensors match, such as `model.` of Lightning.

    At least half of the names must begin with it: the others are of a loss, a metric or the like.
    """
    prefixes = {
        ".".join([*parts[:at], ""])
        for parts in (name.split(".") for name in read)
        for at in range(1, len(parts))
        if ".".join(parts[at:]) in known
    }
    common = [
        prefix for prefix in prefixes if 2 * sum(n.startswith(prefix) for n in read) >= len(read)
    ]
    found = [
        {name.removeprefix(prefix): read[name] for name in _those_with_last(read, prefix)}
        for prefix in ["", *sorted(common, key=lambda prefix: (len(prefix), prefix))]
    ]
    return max(found, key=lambda weights: _count_matching(weights, known))


def _those_with_last(names: Iterable[str], prefix: str) -> list[str]:
    """List the names with a prefix after those without: where two come to the same, they count."""
    return sorted(names, key=lambda name: name.startswith(prefix))


def _count_matching(weights: Mapping[str, Tensor], known: Mapping[str, Tensor]) -> int:
    return sum(
        name in known and (given.shape == known[name].shape or _is_grey_version(known[name], given))
        for name, given in weights.items()
    )


def _shapes(tensors: Mapping[str, Tensor]) -> str:
    first = list(tensors.items())[:3]
    return ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in first)
