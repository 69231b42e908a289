"""The loop of train.py for many seeds at once: M models of one kind, stacked and trained together.

A small model leaves most of a machine idle; M of them in one batched product do not. Each
member has its own first weights, order of images and dropout, and ends where `fit` would
take it, but for rounding. Stacking is torch.func's (vmap over functional_call).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim import Optimizer

from fashionbench.config import Recipe
from fashionbench.data import Split, hold_out
from fashionbench.devices import free_memory, keep_freed_memory, resolve_device
from fashionbench.evaluation import evaluate, pixels
from fashionbench.optim import build_optimizer
from fashionbench.progress import progress_bar
from fashionbench.seeds import derive_seed
from fashionbench.train import Fit, curve_points, epoch_order

__all__ = ["fit_members", "members_that_fit", "why_not_stackable"]


@dataclass
class _Stack:
    """M models as one: every parameter and buffer has a first dimension M."""

    skeleton: nn.Module
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @classmethod
    def of(cls, models: Sequence[nn.Module]) -> "_Stack":
        parameters, buffers = stack_module_state([model.train() for model in models])
        return cls(copy.deepcopy(models[0]).to("meta"), parameters, buffers)

    def losses(self, images: Tensor, labels: Tensor) -> Tensor:
        """(M, B, H, W) uint8 images and (M, B) labels -> (M,) mean losses."""
        members, batch = labels.shape

        def logits(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
            called: Tensor = functional_call(self.skeleton, (parameters, buffers), (x,))
            return called

        x = pixels(images.flatten(0, 1)).unflatten(0, (members, batch))
        called = vmap(logits, randomness="different")(self.parameters, self.buffers, x)
        each = F.cross_entropy(called.flatten(0, 1), labels.flatten(), reduction="none")
        return each.view(members, batch).mean(dim=1)

    @torch.no_grad()
    def write_back(self, models: Sequence[nn.Module]) -> None:
        for name, stacked in {**self.parameters, **self.buffers}.items():
            for model, tensor in zip(models, stacked, strict=True):
                model.state_dict(keep_vars=True)[name].copy_(tensor)


def fit_members(
    models: Sequence[nn.Module],
    data: Split,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "auto",
    description: str = "",
) -> list[Fit]:
    """Train models in place together, the k-th as `fit(models[k], data, recipe, seeds[k])`.

    The models are of one class and differ in their weights alone; `why_not_stackable`
    tells beforehand whether they can be stacked. `train_seconds` is None: a share of the
    group's wall clock is not a training time.
    """
    device = resolve_device(device) if isinstance(device, str) else device
    keep_freed_memory()
    for model in models:
        model.to(device)
    training, validation = hold_out(data.to(device), recipe.validation_images)
    stack = _Stack.of(models)
    optimizer = build_optimizer(stack.parameters.values(), recipe)
    results = [Fit(train_seconds=None) for _ in models]
    steps = recipe.epochs * -(-len(training) // recipe.batch_size)
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        torch.backends.cudnn.flags(deterministic=True, benchmark=False),
        progress_bar(total=steps, desc=description, unit="step") as bar,
    ):
        torch.manual_seed(derive_seed(seeds[0], "dropout"))
        for epoch in range(recipe.epochs):
            orders = torch.stack([epoch_order(len(training), seed, epoch) for seed in seeds])
            losses = []
            for positions in orders.to(device).split(recipe.batch_size, dim=1):
                losses.append(_step(stack, optimizer, *_take(training, positions)))
                bar.update()
            stack.write_back(models)
            for result, model, of_member in zip(
                results, models, torch.stack(losses).cpu().T, strict=True
            ):
                _note(result, model, epoch, of_member, validation)
            if all(result.diverged for result in results):
                break
    return results


def _take(data: Split, positions: Tensor) -> tuple[Tensor, Tensor]:
    """(M, B) positions -> images and labels in that shape. index_select copies row by row."""
    flat = positions.flatten()
    images = data.images.index_select(0, flat).unflatten(0, positions.shape)
    return images, data.labels.index_select(0, flat).unflatten(0, positions.shape)


def _step(stack: _Stack, optimizer: Optimizer, images: Tensor, labels: Tensor) -> Tensor:
    """One update of all members; (M,) losses. Their sum keeps each member's gradient its own."""
    losses = stack.losses(images, labels)
    optimizer.zero_grad()
    losses.sum().backward()
    optimizer.step()
    return losses.detach()


def _note(result: Fit, model: nn.Module, epoch: int, losses: Tensor, validation: Split) -> None:
    if result.diverged:  # ended as a run alone would have; what follows is no number anyway
        return
    result.epochs += 1
    result.curve += curve_points(epoch, losses)
    result.diverged = not all(loss == loss for _, loss in result.curve)
    if len(validation):
        scores = evaluate(model, validation)
        result.validation_curve.append((epoch + 1, scores.loss, scores.accuracy))


def why_not_stackable(model: nn.Module, data: Split, recipe: Recipe) -> str | None:
    """The reason why copies of `model` cannot be trained together; None if they can.

    Found by trying one step of two copies.
    """
    copies = [copy.deepcopy(model) for _ in range(2)]
    try:
        with torch.random.fork_rng():
            stack = _Stack.of(copies)
            optimizer = build_optimizer(stack.parameters.values(), recipe)
            images = data.images[: 2 * recipe.batch_size].expand(2, -1, -1, -1)
            labels = data.labels[: 2 * recipe.batch_size].expand(2, -1)
            _step(stack, optimizer, images, labels)
    except (RuntimeError, ValueError, NotImplementedError, TypeError) as error:
        return str(error).splitlines()[0]
    return None


def members_that_fit(model: nn.Module, data: Split, recipe: Recipe) -> int:
    """How many members can be trained together in half of the memory that is free now; 1 or more.

    Measured on one member: what a step keeps for its backward pass, and four copies of the
    weights (themselves, gradients, and up to two states of an optimizer).
    """
    device = data.images.device
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with torch.random.fork_rng(), torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
        rehearsal = copy.deepcopy(model).to(device).train()
        rehearsal(pixels(data.images[: recipe.batch_size]))
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    # Gradients of activations come and go while those kept are used up: count both.
    return max(1, int(free_memory(device) / 2 / (2 * kept + 4 * weights)))
