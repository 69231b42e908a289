"""The loop of train.py for many seeds at once: M models of one kind, stacked and trained together.

A small model leaves most of a machine idle; M of them in one batched product do not. Each
member has its own first weights, order of images and augmentation, and ends where `fit` would
take it, but for rounding. What dropout drops is each member's own too, but drawn for all
together: there a member ends as one more seed would, not where `fit` would take it. Stacking is
torch.func's (vmap over functional_call).
"""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from fashionbench.abreast import Abreast
from fashionbench.batches import Batch, batch_losses, epoch_batches, epoch_steps
from fashionbench.data import Split, hold_out
from fashionbench.devices import (
    free_memory,
    isolated,
    keep_freed_memory,
    resolve_device,
    seed_generators,
    synchronize,
)
from fashionbench.evaluation import pixels
from fashionbench.optim import Updater
from fashionbench.progress import progress_bar
from fashionbench.recipe import Recipe
from fashionbench.recording import Recording, can_be_recorded, repeats_itself
from fashionbench.seeds import derive_seed
from fashionbench.tracing import Tensors, Traced, can_be_traced
from fashionbench.train import Fit, begin, forward_precision
from fashionbench.transfer import treats_layers_apart

__all__ = ["can_go_abreast", "fit_members", "gain", "members_that_fit", "why_not_stackable"]


REHEARSED_STEPS, PROBED_STEPS = 5, 20
"""Before the clock, for a recording to be made; and by the clock."""


class _Linear(nn.Linear):
    """A linear layer that multiplies from the left.

    Under vmap `x @ W.mT` has gradients in the transpose of the weights' layout: for V0 the product
    and the copy that turns it round are half of a step.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.ndim != 2:
            return super().forward(inputs)
        outputs = (self.weight @ inputs.mT).mT
        return outputs if self.bias is None else outputs + self.bias


class _InFloat32(nn.Module):
    """Batch normalization that mixes no types of numbers.

    A layer alone may have images in bf16 and its own numbers in fp32; under vmap torch's kernels
    refuse that. They compute in fp32 either way.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = super().forward(inputs.float())
        return outputs.to(inputs.dtype)


class _BatchNorm1d(_InFloat32, nn.BatchNorm1d):
    pass


class _BatchNorm2d(_InFloat32, nn.BatchNorm2d):
    pass


_STACKED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: _Linear,
    nn.BatchNorm1d: _BatchNorm1d,
    nn.BatchNorm2d: _BatchNorm2d,
}
"""Layers that a stack computes in another way than a model alone."""


class _Stack:
    """M models as one: every parameter and buffer has a first dimension M."""

    def __init__(self, models: Sequence[nn.Module], recipe: Recipe, steps_an_epoch: int) -> None:
        self.models = list(models)
        self.recipe = recipe
        self.steps_an_epoch = steps_an_epoch
        self.skeleton = copy.deepcopy(models[0]).to("meta")
        for module in self.skeleton.modules():
            module.__class__ = _STACKED.get(type(module), type(module))
        self._take(*stack_module_state([model.train() for model in models]))

    def _take(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> None:
        self.parameters, self.buffers = parameters, buffers
        self.updater = Updater(parameters, buffers, self.recipe, self.steps_an_epoch, stacked=True)
        self._differentiate: Callable[[Batch], Tensor] = self._differentiated
        if can_be_recorded(self.skeleton, self.updater):
            self._differentiate = Recording(self._differentiated, self.updater.parameters)
        elif can_be_traced(self.skeleton, self.updater):
            self._differentiate = Traced(self._losses, parameters, buffers)

    def step(self, batch: Batch) -> Tensor:
        """One update of all members from their batches, one after another; (M,) losses."""
        losses = self._differentiate(batch)
        self.updater.update()
        return losses

    def _differentiated(self, batch: Batch) -> Tensor:
        """(M,) losses. Their sum keeps each member's gradient its own."""
        losses = self._losses(self.parameters, self.buffers, batch)
        self.updater.differentiate(losses.sum())
        return losses.detach()

    def _losses(self, parameters: Tensors, buffers: Tensors, batch: Batch) -> Tensor:
        images = batch.images.unflatten(0, (len(self.models), -1))

        def logits(parameters: Tensors, buffers: Tensors, x: Tensor) -> Tensor:
            called: Tensor = functional_call(self.skeleton, {**parameters, **buffers}, (x,))
            return called

        with forward_precision(self.recipe, images.device):
            called = vmap(logits, randomness="different")(parameters, buffers, images)
        # Most models leave their logits in this layout, in which classes are summed fastest.
        return batch_losses(called.float().mT, batch, self.recipe).mean(dim=1)

    @torch.no_grad()
    def show(self) -> None:
        """Give the models the weights that they are to be used with."""
        self.updater.swap()
        stacked = {**self.parameters, **self.buffers}
        for row, model in enumerate(self.models):
            for name, tensor in chain(model.named_parameters(), model.named_buffers()):
                tensor.copy_(stacked[name][row])
        self.updater.swap()

    @torch.no_grad()
    def keep(self, rows: Sequence[int]) -> None:
        """Go on with the members in these rows alone."""
        if len(rows) == len(self.models):
            return

        def cut(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: cut(part) for key, part in value.items()}
            if isinstance(value, list):
                return [cut(part) for part in value]
            return value[list(rows)] if isinstance(value, Tensor) and value.ndim else value

        state = self.updater.state_dict()
        state["optimizer"]["state"] = cut(state["optimizer"]["state"])
        state["means"] = cut(state["means"])
        self.models = [self.models[row] for row in rows]
        parameters = {
            name: tensor.detach().requires_grad_(self.parameters[name].requires_grad)
            for name, tensor in cut(self.parameters).items()
        }
        self._take(parameters, cut(self.buffers))
        self.updater.load_state_dict(state)


def fit_members(
    models: Sequence[nn.Module],
    data: Split,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "auto",
    abreast: bool = False,
    description: str = "",
) -> list[Fit]:
    """Train models in place together, the k-th as `fit(models[k], data, recipe, seeds[k])` would.

    The models are of one class and differ in their weights alone; `why_not_stackable`
    tells beforehand whether they can be stacked, `can_go_abreast` whether they can be trained
    beside each other instead. Each stops on its own. `train_seconds` is None: a share of the
    group's wall clock is not a training time.
    """
    device = resolve_device(device) if isinstance(device, str) else device
    keep_freed_memory()
    for model in models:
        model.to(device)
    training, validation = hold_out(data.to(device), recipe.validation_images, recipe.train_images)
    steps = epoch_steps(len(training), recipe)
    group = (Abreast if abreast else _Stack)(models, recipe, steps)
    members = [_Member(model, seed) for model, seed in zip(models, seeds, strict=True)]
    going = members
    with (
        isolated(device),
        progress_bar(total=recipe.epochs * steps, desc=description, unit="step") as bar,
    ):
        for epoch in range(recipe.epochs):
            seed_generators(device, derive_seed(seeds[0], "dropout", epoch))
            losses = []
            for batch in epoch_batches(training, recipe, [m.seed for m in going], epoch):
                losses.append(group.step(batch))
                bar.update()
            group.show()
            for member, of_member in zip(going, torch.stack(losses).T, strict=True):
                member.finish_epoch(of_member, validation, recipe)
            rows = [k for k, member in enumerate(going) if not member.fit.is_over(recipe)]
            if not rows:
                break
            group.keep(rows)
            going = [going[row] for row in rows]
    return [member.fit for member in members]


@dataclass
class _Member:
    """One model of the stack and what is known of its run."""

    model: nn.Module
    seed: int
    fit: Fit = field(default_factory=lambda: Fit(train_seconds=None))
    best: dict[str, Tensor] | None = None

    def finish_epoch(self, losses: Tensor, validation: Split, recipe: Recipe) -> None:
        self.fit.add_epoch(losses)
        self.fit.validate(self.model, validation, recipe)
        if recipe.patience is not None and self.fit.best_epoch(recipe) == self.fit.epochs:
            self.best = copy.deepcopy(self.model.state_dict())
        if self.best is not None and self.fit.is_over(recipe):
            self.model.load_state_dict(self.best)


def why_not_stackable(model: nn.Module, data: Split, recipe: Recipe) -> str | None:
    """The reason why copies of `model` cannot be trained together; None if they can.

    Found by trying one step of two copies, on the device that `data` is on.
    """
    if treats_layers_apart(recipe):
        return "its recipe trains layers apart"
    device = data.images.device
    copies = [copy.deepcopy(model).to(device) for _ in range(2)]
    few = Split(data.images[: 2 * recipe.batch_size], data.labels[: 2 * recipe.batch_size])
    try:
        with isolated(device):
            stack = _Stack(copies, recipe, 1)
            before = _attributes(stack.skeleton)
            for batch in islice(epoch_batches(few, recipe, [0, 1], 0), 1):
                stack.step(batch)
    except (RuntimeError, ValueError, NotImplementedError, TypeError) as error:
        return str(error).splitlines()[0]
    if _attributes(stack.skeleton) != before:
        return "its forward method changes attributes of the model, and members would share them"
    return None


def _attributes(model: nn.Module) -> list[dict[str, object]]:
    """What each module holds beside tensors, as far as it is plain values."""
    plain = (bool, int, float, str)
    return [
        {name: value for name, value in vars(module).items() if isinstance(value, plain)}
        for module in model.modules()
    ]


def can_go_abreast(model: nn.Module, recipe: Recipe, device: torch.device) -> bool:
    """Whether copies of `model` can be trained beside each other."""
    return device.type == "cuda" and repeats_itself(model, recipe)


def gain(
    model: nn.Module, data: Split, recipe: Recipe, members: int, *, abreast: bool = False
) -> float:
    """How many times as fast a step of so many members is as their steps one after another.

    Tried out on the device that `data` is on, where why_not_stackable or can_go_abreast says
    nothing against it.
    """
    count = recipe.batch_size * (REHEARSED_STEPS + PROBED_STEPS)
    few = Split(data.images[:count], data.labels[:count])

    def seconds(step: Callable[[Batch], Tensor], seeds: Sequence[int]) -> float:
        batches = [*epoch_batches(few, recipe, seeds, 0)]
        for batch in batches[:REHEARSED_STEPS]:
            step(batch)
        synchronize(data.images.device)
        start = time.perf_counter()
        for batch in batches[REHEARSED_STEPS:]:
            step(batch)
        synchronize(data.images.device)
        return time.perf_counter() - start

    models = [copy.deepcopy(model).to(data.images.device).train() for _ in range(members)]
    with isolated(data.images.device):
        group = (Abreast if abreast else _Stack)(models, recipe, 1)
        together = seconds(group.step, range(members))
        _, step = begin(models[0].to(memory_format=torch.channels_last), few, recipe)
        return members * seconds(step, [0]) / together


def members_that_fit(model: nn.Module, data: Split, recipe: Recipe) -> int:
    """How many members can be trained together in half of the memory that is free now; 1 or more.

    Measured on one member: what a step keeps for its backward pass, and five copies of the
    weights (themselves, gradients, two states of an optimizer, a running mean).
    """
    device = data.images.device
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with isolated(device), torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
        rehearsal = copy.deepcopy(model).to(device).train()
        rehearsal(pixels(data.images[: recipe.batch_size]))
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    # Gradients of activations come and go while those kept are used up: count both.
    return max(1, int(free_memory(device) / 2 / (2 * kept + 5 * weights)))
