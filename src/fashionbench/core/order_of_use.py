"""The layers of a network in the order in which a forward pass uses them."""

import torch
from torch import nn

from fashionbench.core.copies import copy_model
from fashionbench.core.global_state import preserved
from fashionbench.core.shape import shape_of

__all__ = ["last_layer", "list_in_call_order"]


def list_in_call_order(model: nn.Module) -> list[str]:
    """List the names of the modules that a forward pass calls, in the order of their first call.

    If a pass fails, or the model cannot be copied for it, all are listed in the order of the code.
    """
    names = [name for name, _ in model.named_modules()]
    used: list[str] = []
    try:
        asked = copy_model(model)
        for name, module in asked.named_modules():
            module.register_forward_pre_hook(lambda _, __, name=name: used.append(name))
        device = next(model.parameters()).device
        with preserved(), torch.no_grad():
            asked.eval()
            asked(torch.zeros(2, *shape_of(model).sizes, device=device))
    except Exception:  # whatever a person's own code may raise
        return names
    return list(dict.fromkeys(used))


def last_layer(model: nn.Module, *kinds: type[nn.Module]) -> str | None:
    """Name the layer of the given kinds that is used last; None if there is none."""
    parts = dict(model.named_modules())
    # Those that no pass calls, such as one whose weight alone is taken, come first.
    names = [
        name for name in [*parts, *list_in_call_order(model)] if isinstance(parts[name], kinds)
    ]
    return names[-1] if names else None
