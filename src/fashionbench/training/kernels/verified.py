"""Which models' passes are computed in C, and the Engine that does; None where torch must.

A model is not believed to be the row of layers that it is read as, nor the compiler to be right:
before an engine is used, a step and an answer of it are compared with torch's.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionbench.config.recipe import CROSS_ENTROPY, Recipe
from fashionbench.core.copies import copy_model
from fashionbench.core.global_state import preserved
from fashionbench.core.logits import are_alike, pixels
from fashionbench.data.split import Split
from fashionbench.training.batch import Batch
from fashionbench.training.kernels.compiler import load_library
from fashionbench.training.kernels.engine import Engine
from fashionbench.training.kernels.layers import find_layers

__all__ = ["build_engine", "build_scorer", "build_stacked_engine"]

FEW = 20
"""Images by which an engine is compared: a whole block of them, and a part of one."""
NEAR = 1e-3
"""How far losses, logits and statistics may be off, as a part of the largest number."""
LOOSE = 1e-2
"""And gradients as a whole: two places that are nearly alike may be pooled the other way."""


def build_engine(
    model: nn.Module,
    training: Split,
    recipe: Recipe,
    anew: Callable[[], nn.Module] | None = None,
    *,
    threads: int,
) -> Engine | None:
    """Build what computes a model's steps on `training` by `recipe`; None where torch must.

    Copies of the model are looked at and compared; `anew` is copy_model's.
    """
    if training.images.device.type != "cpu" or training.shape.channels > 1:
        return None
    side = training.side
    most = min(recipe.batch_size, len(training))
    engine = _build(model, recipe, side, most, threads, anew)
    if engine is None or not engine.knows(training.labels):
        return None
    try:
        with preserved():
            rehearsal = copy_model(model, anew)
            trial = _build(rehearsal, recipe, side, FEW, 1, anew)
            is_right = trial is not None and _steps_alike(rehearsal, trial, _noise(side))
    except Exception:  # whatever a person's own code may raise
        return None
    return engine if is_right else None


def build_stacked_engine(
    models: list[nn.Module],
    stacked: Mapping[str, Tensor],
    recipe: Recipe,
    side: tuple[int, int],
    *,
    threads: int,
) -> Engine | None:
    """Build what computes the steps of many models at once, in their `stacked` tensors by name.

    It is compared where it is found out whether models can be stacked.
    """
    named = [*models[0].named_parameters(), *models[0].named_buffers()]
    places = {id(tensor): stacked[name] for name, tensor in named}
    return _build(
        models[0],
        recipe,
        side,
        recipe.batch_size,
        threads,
        members=len(models),
        stacked=lambda tensor: places[id(tensor)],
    )


def build_scorer(model: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor] | None:
    """Build what gives a model's logits in eval mode, a batch at a time; None where torch must."""
    few = pixels(images[:FEW])
    layers = find_layers(model, few.shape[2], few.shape[3]) if _is_plain(model) else None
    library = load_library()
    if layers is None or library is None:
        return None
    threads = torch.get_num_threads()
    try:
        engine = Engine(library, layers, threads=threads, images=threads * library.team_lanes())
    except MemoryError:
        return None
    if not are_alike(engine.answer(few)[0], model(few), NEAR):
        return None
    return lambda batch: engine.answer(batch)[0]


def _build(
    model: nn.Module,
    recipe: Recipe,
    side: tuple[int, int],
    images: int,
    threads: int,
    anew: Callable[[], nn.Module] | None = None,
    members: int = 1,
    stacked: Callable[[Tensor], Tensor] = lambda tensor: tensor,
) -> Engine | None:
    library = load_library()
    if library is None or recipe.precision != "fp32" or not _is_plain(model):
        return None
    if recipe.loss != CROSS_ENTROPY:
        return None
    was_training = model.training
    model.train()
    layers = find_layers(model, *side, anew)
    model.train(was_training)
    if layers is None or (recipe.unfreeze_every and any(layer.norm for layer in layers)):
        return None  # a norm that is frozen is in eval mode, in the midst of training
    with suppress(MemoryError):
        return Engine(
            library, layers, threads=threads, images=images, members=members, stacked=stacked
        )
    return None


def _noise(side: tuple[int, int]) -> Batch:
    """Draw a batch of images no two places of which are alike, so that no pooling is a tie."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(FEW, 1, *side, generator=generator)
    return Batch(images, torch.arange(FEW) % 2)


def _is_plain(model: nn.Module) -> bool:
    """Whether all tensors lie on the CPU, in float32 and row by row."""
    floats = [*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())]
    return all(
        t.device.type == "cpu" and t.dtype == torch.float32 and t.is_contiguous() for t in floats
    )


def _steps_alike(model: nn.Module, engine: Engine, batch: Batch) -> bool:
    """Compare a step of both in loss, in gradients, and in the statistics that it leaves."""
    model.train()
    before = [buffer.clone() for buffer in model.buffers()]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    loss = F.cross_entropy(model(batch.images.clone()), batch.labels)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    statistics = [buffer.clone() for buffer in model.buffers()]
    for buffer, value in zip(model.buffers(), before, strict=True):
        buffer.copy_(value)
    found_loss = engine.differentiate(batch)[0]
    found = [parameter.grad for parameter in parameters]
    if [g is None for g in found] != [g is None for g in gradients]:
        return False
    whole = torch.cat([g.flatten() for g in gradients if g is not None]).norm()
    off = [
        float((one - other).norm() / (other.norm() + NEAR * whole))
        for one, other in zip(found, gradients, strict=True)
        if one is not None and other is not None
    ]
    return (
        max(off) <= LOOSE
        and are_alike(found_loss, loss.detach(), NEAR)
        and all(map(are_alike, model.buffers(), statistics, [NEAR] * len(statistics)))
    )
