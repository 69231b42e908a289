"""A network that the table does not know: what it takes found out, its faults explained."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fashionbench.core.global_state import silent
from fashionbench.core.logits import pixels
from fashionbench.core.own_code import describe_error
from fashionbench.core.shape import Shape
from fashionbench.core.snapshot import structure
from fashionbench.errors import UsageError
from fashionbench.models.adapter import Interface, find_interface

__all__ = ["adapt"]

FEW = 2
"""Images that a network is tried with; one alone has no statistics over a batch."""

_interfaces: dict[str, Interface] = {}
"""By what a network is called and made of: hundreds of seeds need not find it out anew."""


def adapt(
    model: nn.Module,
    anew: Callable[[], nn.Module],
    reference: str,
    classes: int,
    images: Tensor | None,
    shape: Shape,
    interface: Interface | None,
) -> nn.Module:
    """Give the model as it is, or behind an adapter where it was made for other pictures.

    `anew` builds another such, uint8 `images` are used to try it, made-up ones of `shape` if there
    are none. Raises UsageError for a model that takes no picture, or answers something else than
    finite (B, K) logits for K `classes`.
    """
    key = f"{reference} {classes} {shape} {structure(model)}"
    interface = interface or _interfaces.get(key)
    if interface is None:
        with silent():  # what is built to be looked at
            _check_switches(anew(), reference)
            interface = _find(anew, reference, classes, _pixels(images, shape))
        _interfaces[key] = interface
    model = interface.adapt(model, shape)
    _spread(model)
    if any(nn.parameter.is_lazy(parameter) for parameter in model.parameters()):
        model.eval()
        with torch.no_grad():
            model(_pixels(images, shape))  # sizes are settled before an optimizer asks for them
        model.train()
    return model


def _spread(model: nn.Module) -> None:
    """Give a buffer that `expand` made memory for all its numbers, so that it can be written to."""
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            settled = not nn.parameter.is_lazy(buffer) and buffer.layout is torch.strided
            if settled and 0 in buffer.stride():
                module._buffers[name] = buffer.clone(memory_format=torch.contiguous_format)


def _pixels(images: Tensor | None, shape: Shape) -> Tensor:
    """(FEW, C, H, W) in [0, 1]."""
    if images is None:
        sizes = (FEW, *shape.sizes)
        return torch.linspace(0, 1, math.prod(sizes)).view(sizes)
    return pixels(images[:FEW].cpu())


def _check_switches(model: nn.Module, reference: str) -> None:
    """Refuse a model whose methods `train` and `eval` are something else than torch's switches."""
    switches = {model.train: True, model.eval: False}
    for switch, training in switches.items():
        try:
            switch()
            works = model.training is training
        except Exception:  # it may do anything
            works = False
        if not works:
            owner = next(
                (
                    f"{type(part).__name__}.{name}"
                    for part in model.modules()
                    for name in ("train", "eval")
                    if getattr(type(part), name) is not getattr(nn.Module, name)
                ),
                "train",
            )
            raise UsageError(
                f"{reference} cannot be switched between training and scoring, since {owner} is a "
                "method of its own; give that another name, such as fit, or have it do what "
                "torch.nn.Module's does."
            )


def _find(anew: Callable[[], nn.Module], reference: str, classes: int, images: Tensor) -> Interface:
    try:
        interface, answer = find_interface(anew, images)
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{reference} takes no images of {Shape.of(images)}, nor of other sizes or channels: "
            f"{describe_error(error)}"
        ) from None
    if interface.answers_several and isinstance(answer, Tensor) and answer.shape[1:] != (classes,):
        raise UsageError(
            f"{reference} answers with several tensors, and the first, {tuple(answer.shape)}, "
            f"holds no logits for {classes} classes; return the logits first, or alone."
        )
    _check_answer(answer, reference, classes, images)
    return interface


def _check_answer(answer: Any, reference: str, classes: int, images: Tensor) -> None:
    if not isinstance(answer, Tensor):
        raise UsageError(
            f"{reference} answers images with a {type(answer).__name__}; its forward method must "
            "return one tensor of logits."
        )
    if answer.shape != (FEW, classes):
        raise UsageError(
            f"{reference} answers {tuple(images.shape)} images with {tuple(answer.shape)}; it must "
            f"be ({FEW}, {classes}): a logit for each of the {classes} classes. Change its last "
            "layer, or take an argument `classes`, which is given their number."
        )
    if answer.is_complex():
        raise UsageError(f"{reference} answers with complex numbers; logits are real ones.")
    if not answer.isfinite().all():
        raise UsageError(f"{reference} answers with numbers that are not finite before training.")
