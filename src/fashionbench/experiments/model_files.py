"""Models of many files named at once: `nets/*.py:Net`, or the folder `nets/` of a whole class."""

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from fashionbench.errors import UsageError
from fashionbench.experiments.pairing import split_recipe

if TYPE_CHECKING:
    from torch import nn

    Model = str | Callable[[], nn.Module]

__all__ = ["expand_models"]


def expand_models(models: "Iterable[Model]", faults: MutableMapping[str, str]) -> "Sequence[Model]":
    """Replace each pattern of files and each folder by the models in them, in the order of names.

    A folder's files each define one network, which need not be named. A file without one is told
    in `faults`. Raises UsageError where nothing is found at all.
    """
    return [found for model in models for found in _expand(model, faults)]


def _expand(model: "Model", faults: MutableMapping[str, str]) -> "Iterator[Model]":
    if not isinstance(model, str):
        yield model
        return
    path, recipe = split_recipe(model)
    by = f"@{recipe}" if recipe else ""
    pattern, colon, name = path.partition(".py:")
    if colon and has_magic(pattern) and not Path(f"{pattern}.py").is_file():
        files = sorted(glob(f"{pattern}.py"))  # noqa: PTH207 - a Path has no absolute patterns
        if not files:
            raise UsageError(f"No file is called {pattern}.py; write a pattern such as nets/*.py.")
        yield from (f"{file}:{name}{by}" for file in files)
    elif "/" in path and Path(path).is_dir():
        files = sorted(map(str, Path(path).glob("[!_]*.py")))
        if not files:
            raise UsageError(f"There is no .py file in {path}; name a folder of networks.")
        for file in files:
            try:
                yield f"{file}:{_find_network(file)}{by}"
            except UsageError as fault:
                faults[file] = str(fault)
    else:
        yield model


def _find_network(file: str) -> str:
    """Return the name of the one network that a file defines; that of several is called Net."""
    from torch import nn

    from fashionbench.core.own_code import list_classes

    networks = [name for name, kind in list_classes(file) if issubclass(kind, nn.Module)]
    if "Net" in networks or len(networks) == 1:
        return "Net" if "Net" in networks else networks[0]
    if not networks:
        raise UsageError(f"{file} defines no torch.nn.Module.")
    raise UsageError(
        f"{file} defines {', '.join(networks)}; call the one to compare Net, or name it, as "
        f"{file}:{networks[-1]}."
    )
