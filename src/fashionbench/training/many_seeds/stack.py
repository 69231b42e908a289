"""M models of one kind as one: every parameter and buffer has a first dimension M.

Stacking is torch.func's (vmap over functional_call); some layers compute in another way there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from fashionbench.config.recipe import Recipe
from fashionbench.core.copies import copy_skeleton
from fashionbench.training.batch import Batch
from fashionbench.training.cuda_graph import Captured, can_be_captured
from fashionbench.training.history import Engines
from fashionbench.training.kernels.verified import build_stacked_engine
from fashionbench.training.losses import batch_losses
from fashionbench.training.many_seeds.traced import Tensors, Traced, can_be_traced
from fashionbench.training.own_settings import differ
from fashionbench.training.step import forward_precision
from fashionbench.training.updater import Updater

__all__ = ["Stack"]


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


_IN_A_STACK: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: _Linear,
    nn.BatchNorm1d: _BatchNorm1d,
    nn.BatchNorm2d: _BatchNorm2d,
}
"""Layers that a stack computes in another way than a model alone, by their class.

The modules of a stack's skeleton are given the other class by assignment to `__class__`. That is
safe because the other class differs by `forward` alone: what a module holds, and the names by which
functional_call lays weights into it, stay as they are. Only these very classes are exchanged, never
a subclass, whose own `forward` would be lost; and only in the skeleton, which is a copy. It would
break if torch's `forward` came to do something else than is written here, or if torch kept what a
layer holds outside of its `__dict__`, for then Python refuses the assignment.
"""


class Stack:
    """M models as one: every parameter and buffer has a first dimension M.

    Their recipes differ in OWN_SETTINGS at most.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        recipes: Sequence[Recipe],
        steps_an_epoch: int,
        side: tuple[int, int],
    ) -> None:
        self.models = list(models)
        self.recipe = recipes[0]
        # Once and for all: what a rule keeps is laid out in another way then.
        self._own = list(recipes) if differ(recipes) else []
        self.steps_an_epoch = steps_an_epoch
        self.side = side
        self.threads = torch.get_num_threads()
        self.skeleton = copy_skeleton(models[0])
        for module in self.skeleton.modules():
            module.__class__ = _IN_A_STACK.get(type(module), type(module))
        for model in [*models, self.skeleton]:
            model.train()
        self._hold(*stack_module_state(self.models))

    def _hold(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> None:
        self.parameters, self.buffers = parameters, buffers
        self.updater = Updater(
            parameters, buffers, self.recipe, self.steps_an_epoch, stacked=True, own=self._own
        )
        engine = build_stacked_engine(
            self.models,
            {**parameters, **buffers},
            self.recipe,
            self.side,
            threads=self.threads,
        )
        self.engine: Engines = "torch" if engine is None else "kernels"
        self.differentiate: Callable[[Batch], Tensor] = self._differentiate
        if engine is not None:
            self.differentiate = partial(
                engine.differentiate, label_smoothing=self.recipe.label_smoothing
            )
        elif can_be_captured(self.skeleton, self.updater):
            self.differentiate = Captured(self._differentiate, self.updater.parameters)
        elif can_be_traced(self.skeleton, self.updater):
            self.differentiate = Traced(self._losses, parameters, buffers)

    def step(self, batch: Batch) -> Tensor:
        """Update every member by its part of the batch; return (M,) losses."""
        losses = self.differentiate(batch)
        self.updater.update()
        return losses

    def _differentiate(self, batch: Batch) -> Tensor:
        """Return (M,) losses. Their sum keeps each member's gradient its own."""
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

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the models hold what they are used with: the stack's rows, which they keep."""
        with torch.no_grad(), self.updater.averaged():
            stacked = {**self.parameters, **self.buffers}
            for row, model in enumerate(self.models):
                for name, tensor in chain(model.named_parameters(), model.named_buffers()):
                    tensor.copy_(stacked[name][row])
        yield

    @torch.no_grad()
    def select(self, rows: Sequence[int]) -> None:
        """Go on with the members in these rows; the others hold what they are used with."""
        if not 0 < len(rows) < len(self.models):
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
        self._own = [self._own[row] for row in rows] if self._own else []
        parameters = {
            name: tensor.detach().requires_grad_(self.parameters[name].requires_grad)
            for name, tensor in cut(self.parameters).items()
        }
        self._hold(parameters, cut(self.buffers))
        self.updater.load_state_dict(state)
