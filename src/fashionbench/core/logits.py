"""A model and images -> logits, in batches and averaged over views."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["are_alike", "batch_size", "infer", "pixels"]

View = Callable[[Tensor], Tensor]
BATCH = 1000
"""Images of 28x28 at once, and fewer where a model enlarges them; without gradients, larger
batches gain nothing on a CPU."""


def pixels(images: Tensor) -> Tensor:
    """Turn (B, H, W) or (B, C, H, W) uint8 into (B, C, H, W) float32 in [0, 1].

    As torchvision's ToTensor does.
    """
    return (images.unsqueeze(1) if images.ndim == 3 else images).float().div_(255)


def _copy(images: Tensor) -> Tensor:
    return images.clone()  # a model may change what it is given, and there is a next view


def _mirror(images: Tensor) -> Tensor:
    return images.flip(-1)


def _shifted(pixels_down: int, mirrored: bool) -> View:
    def view(images: Tensor) -> Tensor:
        moved = F.pad(images, (pixels_down, -pixels_down) * 2)  # black moves in
        return _mirror(moved) if mirrored else moved

    return view


VIEWS: Mapping[str, Sequence[View]] = {
    "one": (lambda images: images,),
    "flip": (_copy, _mirror),
    "shifts": tuple(_shifted(by, mirrored) for by in (0, 1, -1) for mirrored in (False, True)),
}
"""What a model is shown of each image, by the names that recipes use."""


def infer(
    model: nn.Module,
    images: Tensor,
    views: str = "one",
    forward: Callable[[Tensor], Tensor] | None = None,
) -> NDArray[np.float32]:
    """Compute (N, K) logits of (N, H, W) uint8 images, in eval mode on the model's device.

    Of several views of an image the logits are averaged. `forward` may compute them in the model's
    place.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        parts = []
        for batch in images.split(batch_size(model, images)):
            x = pixels(batch.to(device))
            seen = [(forward or model)(view(x)) for view in VIEWS[views]]
            parts.append(torch.stack(seen).mean(dim=0) if len(seen) > 1 else seen[0])
        logits: NDArray[Any] = torch.cat(parts).float().cpu().numpy()
    model.train(was_training)
    return logits


def are_alike(found: Any, expected: Any, tolerance: float) -> bool:
    """Tell whether two arrays, or tensors, have one shape and differ nowhere by too much.

    That is by more than `tolerance` times the largest number expected, or times 1 if that is less.
    """
    if found.shape != expected.shape:
        return False
    largest = tolerance * max(1.0, float(abs(expected).max()))
    return bool(abs(found - expected).max() <= largest)


def batch_size(model: nn.Module, images: Tensor) -> int:
    """Return how many images have as many pixels, as the model sees them, as BATCH of 28x28."""
    seen = getattr(model, "side", 0)  # of an adapter; of a person's own model it may be anything
    side = max(seen if isinstance(seen, int) else 0, images.shape[-1])
    return max(1, BATCH * 28**2 // side**2)
