"""On the CPU: a stack's forward and backward pass, traced once as a list of operations and run.

vmap and autograd find out anew in every step which operations there are to do. For models as
small as V0 that takes longer than to do them.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from fashionbench.training.batch import Batch
from fashionbench.training.cuda_graph import repeats_itself
from fashionbench.training.devices import reproducible
from fashionbench.training.updater import Updater

__all__ = ["Tensors", "Traced", "can_be_traced"]

Tensors = Mapping[str, Tensor]


def can_be_traced(model: nn.Module, updater: Updater) -> bool:
    """Tell whether every step does the same operations on the CPU."""
    on_cpu = all(parameter.device.type == "cpu" for parameter in updater.parameters)
    return on_cpu and repeats_itself(model, updater.recipe)


class Traced:
    """Both passes: from a batch to (M,) losses, and to the gradients of their sum in `parameters`.

    Parameters that require no gradient get none. `losses` computes the losses from parameters,
    buffers and a batch; it does the same operations at every call for a batch of one shape,
    whatever it draws at random.
    """

    def __init__(
        self,
        losses: Callable[[Tensors, Tensors, Batch], Tensor],
        parameters: Tensors,
        buffers: Tensors,
    ) -> None:
        self.losses, self.parameters, self.buffers = losses, parameters, buffers
        self.trained = [tensor for tensor in parameters.values() if tensor.requires_grad]
        self._programs: dict[tuple[torch.Size, ...], Callable[..., list[Tensor]]] = {}

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Tensor:
        """Return the losses; gradients stay those of this call until the next."""
        inputs = batch.tensors()
        shapes = tuple(tensor.shape for tensor in inputs)
        if shapes not in self._programs:
            self._programs[shapes] = self._trace(batch)
        losses, *gradients = self._programs[shapes](
            *self.parameters.values(), *self.buffers.values(), *inputs
        )
        for parameter, gradient in zip(self.trained, gradients, strict=True):
            parameter.grad = gradient
        return losses

    def _trace(self, batch: Batch) -> Callable[..., list[Tensor]]:
        def passes(*tensors: Tensor) -> list[Tensor]:
            given = iter(tensors)
            parameters = {
                name: next(given).requires_grad_(tensor.requires_grad)
                for name, tensor in self.parameters.items()
            }
            buffers = {name: next(given) for name in self.buffers}
            losses = self.losses(parameters, buffers, Batch(*given))
            trained = [tensor for tensor in parameters.values() if tensor.requires_grad]
            gradients = torch.autograd.grad(losses.sum(), trained)
            return [losses, *map(_laid_out_as, gradients, trained)]

        # Tracing does the operations too: on copies, so that no running mean moves.
        tensors = [*self.parameters.values(), *self.buffers.values(), *batch.tensors()]
        with reproducible(batch.images.device), torch.enable_grad():
            program = make_fx(passes)(*(tensor.detach().clone() for tensor in tensors))
        _drop_idle_views(program)
        return program.forward


def _laid_out_as(gradient: Tensor, parameter: Tensor) -> Tensor:
    """Return a gradient in its parameter's memory layout: fused optimizers go wrong without."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


_VIEWS = frozenset(
    {
        torch.ops.aten.alias.default,
        torch.ops.aten.expand.default,
        torch.ops.aten.view.default,
        torch.ops.aten._unsafe_view.default,
    }
)


def _drop_idle_views(program: GraphModule) -> None:
    """Leave out views that look at a tensor as it is: vmap makes a third of all operations such.

    None of `_VIEWS` moves the place in memory where a tensor begins. So one that has the shape and
    the strides of its source has the same elements at the same addresses, and whatever reads it or
    writes into it may use the source instead. Only the list of one program is edited, which torch
    made for this. It would break if torch noted shapes and strides elsewhere than in
    `meta["tensor_meta"]`; a view under a new name would stay in the list, which costs time alone.
    """
    for node in program.graph.nodes:
        if node.target in _VIEWS:
            source, seen = (n.meta["tensor_meta"] for n in (node.args[0], node))
            if (source.shape, source.stride) == (seen.shape, seen.stride):
                node.replace_all_uses_with(node.args[0])
                program.graph.erase_node(node)
    program.recompile()
