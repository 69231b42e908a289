"""Train a model that begins with weights from elsewhere: its head first, then layer by layer.

Three settings of a recipe, each useful alone. `probe_epochs` trains the last linear layer on
features that are computed once. `unfreeze_every` opens the stages of the net one by one, from the
head down (Howard and Ruder 2018, arXiv 1801.06146); a frozen stage is in eval mode, so that its
BatchNorm keeps the statistics it came with. `layer_decay` lowers the rate from stage to stage
towards the input. A stage is a part of the net at its top level, with the norms after it; stages
follow each other as a forward pass uses them.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from fashionbench.config.recipe import Recipe
from fashionbench.core.logits import infer
from fashionbench.core.order_of_use import last_layer, list_in_call_order
from fashionbench.core.seeds import Seed, derive_seed
from fashionbench.data.split import Split
from fashionbench.errors import UsageError
from fashionbench.training.batch import Batch
from fashionbench.training.batches import count_steps, epoch_order
from fashionbench.training.devices import synchronize
from fashionbench.training.losses import batch_losses
from fashionbench.training.updater import Updater

__all__ = ["freeze_layers", "probe", "rate_factors", "stages"]


def stages(model: nn.Module) -> list[list[nn.Module]]:
    """Divide a model into parts from input to head, in the order in which it uses them."""
    parts = dict(model.named_modules())
    return _stages(
        model, {id(parts[name]): place for place, name in enumerate(list_in_call_order(model))}
    )


def _stages(model: nn.Module, places: Mapping[int, int]) -> list[list[nn.Module]]:
    """Divide by the places of modules in a forward pass; a wrapper of one part is looked into."""

    def place(part: nn.Module) -> int:
        # Only what has weights of its own counts: a container may not be called at all.
        layers = (layer for layer in part.modules() if [*layer.parameters(recurse=False)])
        return min((places[id(layer)] for layer in layers if id(layer) in places), default=-1)

    parts = [part for part in model.children() if any(True for _ in part.parameters())]
    if len(parts) == 1 and [*parts[0].children()]:
        return _stages(parts[0], places)
    found: list[list[nn.Module]] = []
    for part in sorted(parts, key=place):
        if found and all(parameter.ndim < 2 for parameter in part.parameters()):
            found[-1].append(part)  # a norm belongs to what comes before it
        else:
            found.append([part])
    return found or [[model]]


def rate_factors(model: nn.Module, recipe: Recipe) -> list[float]:
    """Return by how much each parameter's rate is multiplied; 1 in the head."""
    if recipe.layer_decay == 1:
        return [1.0 for _ in model.parameters()]
    found = stages(model)
    factors = {
        parameter: recipe.layer_decay ** (len(found) - 1 - position)
        for position, stage in enumerate(found)
        for part in stage
        for parameter in part.parameters()
    }
    # What belongs to no part, such as the positions of a transformer, counts as input.
    lowest = recipe.layer_decay ** (len(found) - 1)
    return [factors.get(parameter, lowest) for parameter in model.parameters()]


@contextmanager
def freeze_layers(model: nn.Module, recipe: Recipe, epoch: int) -> Iterator[None]:
    """Within, freeze the stages that this epoch does not train yet; to be called after train()."""
    if not recipe.unfreeze_every:
        yield
        return
    found, opened = stages(model), 1 + epoch // recipe.unfreeze_every
    if opened >= len(found):
        yield
        return
    open_parameters = {p for stage in found[-opened:] for part in stage for p in part.parameters()}
    frozen = [p for p in model.parameters() if p.requires_grad and p not in open_parameters]
    for stage in found[:-opened]:
        for part in stage:
            part.eval()
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


def probe(model: nn.Module, training: Split, recipe: Recipe, seed: Seed) -> float:
    """Train the last linear layer for `probe_epochs` on features computed once; return seconds.

    Images are as they are, without augmentation. Raises UsageError for a model whose logits do
    not come straight from a linear layer.
    """
    device = training.images.device
    synchronize(device)
    start = time.perf_counter()
    head, features = _features(model, training)
    # What changes images, or is there for whole runs, has no place here.
    plain = recipe.model_copy(update={"epochs": recipe.probe_epochs, "warm_up": 0.0, "ema": 0.0})
    steps = count_steps(len(training), plain)
    updater = Updater(dict(head.named_parameters()), {}, plain, steps)
    for epoch in range(recipe.probe_epochs):
        order = epoch_order(len(training), derive_seed(seed, "probe"), epoch).to(device)
        for rows in order.split(plain.batch_size):
            batch = Batch(features[rows], training.labels[rows])
            updater.step(batch_losses(head(batch.images), batch, plain).mean())
    synchronize(device)
    return time.perf_counter() - start


def _features(model: nn.Module, training: Split) -> tuple[nn.Linear, Tensor]:
    """Return the last linear layer and the (N, F) that it is given for N images, in eval mode."""
    name = last_layer(model, nn.Linear)
    head = None if name is None else model.get_submodule(name)
    seen: list[Tensor] = []
    if isinstance(head, nn.Linear):
        hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            logits = infer(model, training.images)
        finally:
            hook.remove()
        features = torch.cat(seen) if seen else torch.empty(0)
        with torch.no_grad():
            if len(features) == len(logits):
                again = head(features).float().cpu().numpy()
                if again.shape == logits.shape and np.allclose(again, logits, 1e-3, 1e-4):
                    return head, features
    raise UsageError(
        "The logits of this model do not come straight from a linear layer, so that it cannot be "
        "probed; set probe_epochs to 0."
    )
