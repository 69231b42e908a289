"""Models that a run folder knows: they go by the names that its last report shows."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fashionbench.config.model_spec import ModelSpec
from fashionbench.config.naming import find_named
from fashionbench.config.study import Study
from fashionbench.errors import StoreError
from fashionbench.experiments.pairing import Pairing
from fashionbench.models.table import MODELS, model_entry, with_known_base
from fashionbench.store.run_store import RunStore

if TYPE_CHECKING:
    from fashionbench.experiments.pairing import Model

__all__ = ["recall"]


def recall(paired: Pairing, folder: Path | None) -> Pairing:
    """Replace names of a folder's last report by the models that they stand for.

    What a person called a model it is called again. Names of built-in models mean these.
    """
    others = [model for model in paired.models if isinstance(model, str) and not _is_known(model)]
    if not others or folder is None:
        return paired
    try:
        before, _ = RunStore(folder).load_study()
    except StoreError:  # there is none
        return paired
    named = zip(paired.models, paired.called, strict=True)
    found = [
        _find(before, model, name) if model in others else (model, name) for model, name in named
    ]
    return replace(paired, models=[model for model, _ in found], called=[name for _, name in found])


def _is_known(model: str) -> bool:
    return with_known_base(ModelSpec.parse(model)).base in MODELS


def _find(before: Study, model: "Model", called: str) -> tuple["Model", str]:
    """Return the model of a comparison that goes by a name, and what a person calls it."""
    names = [
        (name, model_entry(ModelSpec.parse(each)).label)
        for name, each in zip(before.names, before.models, strict=True)
    ]
    for place in find_named(str(model), names):
        before_called = before.called[place] if before.called else ""
        return before.models[place], called or before_called
    return model, called
