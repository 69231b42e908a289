"""One name a model: the shortest that tells the models of a comparison apart."""

from collections.abc import Sequence

from fashionbench.config.model_spec import ModelSpec
from fashionbench.errors import UsageError

__all__ = ["find_named", "short_names"]


def short_names(
    models: Sequence[str], called: Sequence[str] = (), origins: Sequence[str] = ()
) -> list[str]:
    """Name each model without folders or a script's module, where no other is so called.

    `called` is what a person calls each; "" where it is nothing. Models of one name that were
    merged are told apart by their `origins`.
    """
    files = _files(models)
    kinds = [
        [name or file for name, file in zip(called or [""] * len(models), files, strict=True)],
        [ModelSpec.parse(model).short for model in models],
        [*models],
    ]
    found = []
    for place, kind in enumerate(zip(*kinds, strict=True)):
        alone = [name for name, of in zip(kind, kinds, strict=True) if of.count(name) == 1]
        origin = f" ({origins[place]})" if origins else ""
        found.append(alone[0] if alone else f"{kind[0]}{origin}")
    return found


def _files(models: Sequence[str]) -> list[str]:
    """Shorten a file's model to the file where all files of several call theirs the same."""
    short = [ModelSpec.parse(model).short for model in models]
    own = [name for name in short if ".py:" in name]
    if len(own) < 2 or len({name.partition(".py:")[2] for name in own}) > 1:
        return short
    return [name.partition(".py:")[0] for name in short]


def find_named(name: str, models: Sequence[Sequence[str]]) -> list[int]:
    """Return the positions of the model that goes by a name: as it is, or else in any case.

    Of each model there are its names: the one that is shown first, that of its class last, which
    others may share. Raises UsageError where several models go by the name.
    """
    wanted = name.casefold()
    exact = [place for place, names in enumerate(models) if name in names[:-1]]
    found = exact or [
        place for place, names in enumerate(models) if wanted in map(str.casefold, names)
    ]
    shown = dict.fromkeys(models[place][0] for place in found)
    if len(shown) > 1:
        raise UsageError(f"{name!r} may be {' or '.join(shown)}; name one.")
    return found
