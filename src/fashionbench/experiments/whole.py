"""Whether a checkpoint holds all of a trained model: it is rebuilt from it and compared."""

import math
from collections.abc import Mapping, Set
from pathlib import Path

import torch
from torch import Tensor, nn

from fashionbench.core.copies import copy_model
from fashionbench.core.global_state import silent
from fashionbench.core.logits import are_alike, infer
from fashionbench.core.own_code import describe_error, run_anew
from fashionbench.core.snapshot import plain_state
from fashionbench.errors import FashionbenchError, StoreError
from fashionbench.models.adapter import Adapter
from fashionbench.models.checkpoint import answers_as_recorded, load_facts, rebuild_model
from fashionbench.models.facts import ModelFacts
from fashionbench.models.identity import is_as_first_asked
from fashionbench.training.devices import reproducible, seed_generators

__all__ = ["find_lost_state", "why_unloadable"]

ASKED = 200
"""Images to which a rebuilt model must answer as the trained one."""


def why_unloadable(model: nn.Module, path: Path, images: Tensor) -> str | None:
    """Return the reason why a trained model cannot be rebuilt from its checkpoint, and the remedy.

    None if the rebuilt model gives the logits of the trained one, both those that the checkpoint
    holds and those of some uint8 `images`.
    """
    try:
        facts = load_facts(path)
        with silent():
            rebuilt = _rebuild(model, path, facts)
        anew = plain_state(rebuilt)  # before it settles on what it is asked
        if answers_as_recorded(rebuilt, facts) and _answer_alike(model, rebuilt, images, facts):
            return None
    except StoreError:  # weights that do not fit
        return (
            "what is built anew has other parameters or buffers than the trained network; make all "
            "of them where it is built, and let a seed fix what is drawn there, by torch, "
            "numpy.random or random."
        )
    except FashionbenchError as error:
        return f"it cannot be built anew ({str(error).rstrip('.')})."
    except Exception as error:  # whatever a person's own code may raise
        return f"it cannot be built anew ({describe_error(error).rstrip('.')})."
    trained = plain_state(model)
    names = [name for name in trained if trained[name] != anew.get(name)]
    if not names:
        return (
            "built anew from its seed it answers otherwise, though all that it holds is the same; "
            "keep what its answers depend on in parameters and buffers."
        )
    shown = ", ".join(names[:3])
    return (
        f"its answers depend on {shown}, which is neither a parameter nor a buffer that is saved, "
        "so no file holds it; keep what it holds in a buffer (self.register_buffer)."
    )


def _answer_alike(model: nn.Module, rebuilt: nn.Module, images: Tensor, facts: ModelFacts) -> bool:
    """Tell whether both models give the same logits; a random model's checkpoint holds none."""
    if facts.answers is None:
        return True
    expected, found = (infer(each, images[:ASKED]) for each in (model, rebuilt))
    return are_alike(found, expected, facts.answers.tolerance)


def _rebuild(model: nn.Module, path: Path, facts: ModelFacts) -> nn.Module:
    """Rebuild a model as a new process would: without what training left in its class or file."""
    net = model.net if isinstance(model, Adapter) else model
    if is_as_first_asked(facts.job.spec, net):
        return rebuild_model(path, facts)
    with run_anew():
        return rebuild_model(path, facts)


def find_lost_state(
    model: nn.Module, before: Mapping[str, str], images: Tensor, counters: Set[str] = frozenset()
) -> list[str]:
    """Name the attributes that training has changed, a step depends on, and no checkpoint holds.

    `before` is the plain state that the model began with. Attributes that it computes anew from
    each (B, C, H, W) batch of `images` are not among them, nor are `counters`, which change
    whenever another model is built.
    """
    now = plain_state(model)
    changed = [name for name in now if now[name] != before.get(name) and name not in counters]
    return [name for name in changed if _is_read(model, name, images)]


def _is_read(model: nn.Module, name: str, images: Tensor) -> bool:
    """Tell whether the next step's answers change if something else stands in an attribute."""
    path, _, attribute = name.rpartition(".")
    try:
        usual, other = copy_model(model), copy_model(model)
        holder = other.get_submodule(path)
        setattr(holder, attribute, _make_other_value(getattr(holder, attribute)))
        with reproducible(images.device), torch.no_grad():
            expected, found = (_answer_in_training(one, images) for one in (usual, other))
    except Exception:  # it is no attribute, nothing else can stand there, or it is asked for
        return True
    return not torch.equal(expected, found)


def _answer_in_training(model: nn.Module, images: Tensor) -> Tensor:
    seed_generators(images.device, 0)
    model.train()
    answer: Tensor = model(images.clone())  # it may change them
    return answer


def _make_other_value(value: object) -> object:
    if isinstance(value, Tensor) and value.is_floating_point():
        return torch.full_like(value, math.nan)
    if isinstance(value, float):
        return math.nan
    raise TypeError(f"no other {type(value).__name__} is as good")
