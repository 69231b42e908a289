"""fit(model, data, recipe, seed): the training loop, plain PyTorch on one screen.

The images stay on the device as one uint8 tensor; an epoch is one permutation of
them, cut into batches. That replaces the DataLoader, and is where most of the
speed comes from (the idea is that of cifar10-airbench and train_mnist_fast).
Knows nothing of tables, stores, or the test set.
"""

import copy
import time
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from fashionbench.config import Recipe
from fashionbench.data import Split, hold_out
from fashionbench.devices import keep_freed_memory, resolve_device, synchronize
from fashionbench.evaluation import evaluate, pixels
from fashionbench.optim import build_optimizer
from fashionbench.progress import progress_bar
from fashionbench.seeds import derive_seed

__all__ = ["Fit", "curve_points", "epoch_order", "fit"]

WARM_UP_STEPS = 5
CURVE_POINTS = 20
"""Points of the loss curve in an epoch."""


@dataclass
class Fit:
    """What a training run leaves behind, besides the trained weights in the model."""

    train_seconds: float | None = None
    """Order, forward, backward and step, not warm-up, not validation; None if not alone."""
    warm_up_seconds: float = 0.0
    validation_seconds: float = 0.0
    epochs: int = 0
    diverged: bool = False
    """The training loss became no number; training ended with that epoch."""
    curve: list[tuple[float, float]] = field(default_factory=list)
    """Epochs passed, mean training loss of the batches since the point before."""
    validation_curve: list[tuple[int, float, float]] = field(default_factory=list)
    """Epoch, validation loss, validation accuracy."""


def fit(
    model: nn.Module,
    data: Split,
    recipe: Recipe,
    seed: int = 0,
    *,
    device: torch.device | str = "auto",
    description: str = "",
) -> Fit:
    """Train `model` in place on `data`, from the weights it has, and leave it on `device`.

    `seed` fixes the order of images and what dropout drops; torch's own generators
    are left as they were. `description` stands before the progress bar.
    """
    device = resolve_device(device) if isinstance(device, str) else device
    keep_freed_memory()
    model.to(device).to(memory_format=torch.channels_last)
    training, validation = hold_out(data.to(device), recipe.validation_images)
    optimizer = build_optimizer(model.parameters(), recipe)
    result = Fit(warm_up_seconds=warm_up(model, training, recipe))
    steps = recipe.epochs * -(-len(training) // recipe.batch_size)
    train_seconds = 0.0
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        torch.backends.cudnn.flags(deterministic=True, benchmark=False),
        progress_bar(total=steps, desc=description, unit="step") as bar,
    ):
        torch.manual_seed(derive_seed(seed, "dropout"))
        for epoch in range(recipe.epochs):
            model.train()
            synchronize(device)
            start = time.perf_counter()
            order = epoch_order(len(training), seed, epoch).to(device)
            images = training.images.index_select(0, order)
            labels = training.labels.index_select(0, order)
            losses = []
            for batch, batch_labels in zip(
                images.split(recipe.batch_size), labels.split(recipe.batch_size), strict=True
            ):
                losses.append(training_step(model, optimizer, batch, batch_labels))
                bar.update()
            synchronize(device)
            train_seconds += time.perf_counter() - start
            result.epochs += 1
            result.curve += curve_points(epoch, torch.stack(losses).cpu())
            result.diverged = not all(loss == loss for _, loss in result.curve)
            if len(validation):
                start = time.perf_counter()
                scores = evaluate(model, validation)
                result.validation_curve.append((epoch + 1, scores.loss, scores.accuracy))
                result.validation_seconds += time.perf_counter() - start
            if result.diverged:
                break
    result.train_seconds = train_seconds
    return result


def training_step(model: nn.Module, optimizer: Optimizer, images: Tensor, labels: Tensor) -> Tensor:
    """One update from (B, H, W) uint8 images; the batch's mean loss, still on the device."""
    loss = F.cross_entropy(model(pixels(images)), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def epoch_order(images: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch visits the images: the same on every device."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
    return torch.randperm(images, generator=generator)


def warm_up(model: nn.Module, training: Split, recipe: Recipe) -> float:
    """Train a copy for a few steps, so that one-time costs fall outside the clock; seconds."""
    start = time.perf_counter()
    device = training.images.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        rehearsal = copy.deepcopy(model).train()
        optimizer = build_optimizer(rehearsal.parameters(), recipe)
        # The short batch at an epoch's end has kernels of its own to choose.
        short = len(training) % recipe.batch_size or recipe.batch_size
        for size in [recipe.batch_size] * WARM_UP_STEPS + [short]:
            training_step(rehearsal, optimizer, training.images[:size], training.labels[:size])
    synchronize(device)
    return time.perf_counter() - start


def curve_points(epoch: int, losses: Tensor) -> list[tuple[float, float]]:
    """(S,) losses of an epoch's steps -> points of the curve."""
    points, steps = [], 0
    for part in losses.tensor_split(min(CURVE_POINTS, len(losses))):
        steps += len(part)
        points.append((epoch + steps / len(losses), float(part.mean())))
    return points
