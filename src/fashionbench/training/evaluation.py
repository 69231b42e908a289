"""A model and images -> scores."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fashionbench.config.recipe import Recipe, Views
from fashionbench.core.logits import VIEWS, infer, pixels
from fashionbench.data.split import Split, hold_out
from fashionbench.errors import UsageError
from fashionbench.stats.metrics import Scores, classify, find_temperature, score
from fashionbench.training.kernels.verified import build_scorer

__all__ = ["accuracy_one_by_one", "calibrate", "check_arguments", "compute_logits", "evaluate"]


def evaluate(model: nn.Module, data: Split, views: Views = "one") -> Scores:
    """Score `model` in eval mode on every image of `data`, once each.

    `views` says how it is shown an image, as a recipe's `test_views` does: with "flip" and "shifts"
    the logits of several views are averaged. Raises UsageError for a name in place of the model, a
    Dataset in place of its split, images or labels of another type, and labels of more classes than
    the model tells apart.

    Examples:
        >>> scores = fb.evaluate(model, data.test)
        >>> scores.accuracy > 0.1  # better than guessing
        True
    """
    check_arguments(model, data)
    if views not in VIEWS:
        raise UsageError(f"views is {views!r}, but should be {', '.join(VIEWS)}.")
    logits, labels = compute_logits(model, data.images, views), data.labels.cpu().numpy()
    if labels.max() >= logits.shape[1]:
        raise UsageError(
            f"The labels go up to {labels.max()}, but the model tells {logits.shape[1]} classes "
            "apart; build it for as many as there are."
        )
    return score(logits, labels)


def check_arguments(model: object, data: object) -> None:
    """Refuse a name in place of the model, and what is no split, such as a Dataset."""
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{model!r} is not a model; give a torch module, such as fb.build_model('v0')."
        )
    if not isinstance(data, Split):
        raise UsageError(
            f"{type(data).__name__} is not a split; give one of the data set's, such as data.train."
        )
    images, labels = data.images, data.labels
    if not (
        isinstance(images, Tensor)
        and isinstance(labels, Tensor)
        and (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
        and images.ndim in (3, 4)
        and len(images) == labels.numel() > 0
    ):
        raise UsageError(
            "This split cannot be used; it should hold (N, H, W) or (N, 3, H, W) images in uint8, "
            "one at least, and as many labels in int64."
        )


def compute_logits(model: nn.Module, images: Tensor, views: Views = "one") -> NDArray[np.float32]:
    """Compute the (N, K) logits of (N, H, W) uint8 images, by the C kernels where they can."""
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        scorer = build_scorer(model, images)
    model.train(was_training)
    return infer(model, images, views, scorer)


def accuracy_one_by_one(model: nn.Module, data: Split) -> float | None:
    """Return the accuracy on images shown one at a time; None if the model takes no single one."""
    device, right = next(model.parameters()).device, 0
    model.eval()
    with torch.inference_mode():
        for image, label in zip(data.images.to(device), data.labels.tolist(), strict=True):
            try:
                logits = model(pixels(image.unsqueeze(0))).flatten()
            except Exception:  # whatever a person's own code may raise
                return None
            right += int(classify(logits.float().cpu().numpy())) == label
    return right / len(data)


def calibrate(model: nn.Module, train: Split, recipe: Recipe) -> float | None:
    """Fit the temperature of a model's logits on the images that `recipe` held out.

    None where it held out none, or the model answers with something that is no number.
    """
    if not recipe.validation_images:
        return None
    _, validation = hold_out(train, recipe.validation_images)
    logits = compute_logits(model, validation.images, recipe.test_views)
    return find_temperature(logits, validation.labels.cpu().numpy())
