"""fit(model, data, recipe, seed): the training loop, plain PyTorch on one screen.

Knows nothing of tables, stores, or the test set.
"""

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from fashionbench.config.recipe import Recipe
from fashionbench.core.copies import copy_model
from fashionbench.core.logits import pixels
from fashionbench.core.progress import progress_bar
from fashionbench.core.seeds import derive_seed
from fashionbench.data.datasets import Split, hold_out
from fashionbench.training.batches import Batch, batch_loss, epoch_batches, epoch_steps
from fashionbench.training.cuda_graph import Recording, can_be_recorded
from fashionbench.training.devices import (
    isolated,
    keep_freed_memory,
    resolve_device,
    seed_generators,
    synchronize,
    threads_at_most,
)
from fashionbench.training.evaluation import evaluate
from fashionbench.training.layout import FEW, lay_out
from fashionbench.training.optimizers import Updater
from fashionbench.training.transfer import frozen, probe, rate_factors

__all__ = ["Fit", "begin", "fit", "forward_precision", "passes", "useful_threads"]

WARM_UP_STEPS = 5
CURVE_POINTS = 20
"""Points of the loss curve in an epoch."""
ONE_THREADS_WORK = 1_000_000
"""Multiplications of a forward pass up to which two threads were never faster than one."""


@dataclass
class Fit:
    """What a training run leaves behind, besides the trained weights in the model."""

    train_seconds: float | None = 0.0
    """Order, augmentation, forward, backward and step, not warm-up, not validation; None if not
    alone."""
    warm_up_seconds: float = 0.0
    validation_seconds: float = 0.0
    epochs: int = 0
    diverged: bool = False
    """The training loss became no number; training ended with that epoch."""
    curve: list[tuple[float, float]] = field(default_factory=list)
    """Epochs passed, mean training loss of the batches since the point before."""
    validation_curve: list[tuple[int, float, float]] = field(default_factory=list)
    """Epoch, validation loss, validation accuracy."""

    def add_epoch(self, losses: Tensor) -> None:
        """Take in the (S,) losses of an epoch's steps."""
        steps = 0
        for part in losses.cpu().tensor_split(min(CURVE_POINTS, len(losses))):
            steps += len(part)
            self.curve.append((self.epochs + steps / len(losses), float(part.mean())))
        self.epochs += 1
        self.diverged = not bool(losses.isfinite().all())

    def validate(self, model: nn.Module, validation: Split, recipe: Recipe) -> None:
        """Score the epoch's weights on the validation images, where there are any."""
        if len(validation):
            start = time.perf_counter()
            scores = evaluate(model, validation, recipe.test_views)
            self.validation_curve.append((self.epochs, scores.loss, scores.accuracy))
            self.validation_seconds += time.perf_counter() - start

    def best_epoch(self, recipe: Recipe) -> int | None:
        """The last epoch that improved by enough; None where no validation image tells."""
        found, best = None, float("inf")
        for epoch, loss, accuracy in self.validation_curve:
            value = loss if recipe.monitor == "loss" else -accuracy
            if value < best - recipe.min_improvement:
                found, best = epoch, value
        return found

    def is_over(self, recipe: Recipe) -> bool:
        """Whether all epochs are done, or no more of them would help."""
        waited = self.epochs - (self.best_epoch(recipe) or 0)
        impatient = recipe.patience is not None and waited >= recipe.patience
        return self.diverged or impatient or self.epochs >= recipe.epochs


def fit(
    model: nn.Module,
    data: Split,
    recipe: Recipe,
    seed: int = 0,
    *,
    device: torch.device | str = "auto",
    description: str = "",
    resume: dict[str, Any] | None = None,
    keep: Callable[[dict[str, Any]], None] = lambda state: None,
    anew: Callable[[], nn.Module] | None = None,
) -> Fit:
    """Train `model` in place on `data`, from the weights it has, and leave it on `device`.

    `seed` fixes the order of images, their augmentation and what dropout drops; torch's own
    generators are left as they were. After each epoch `keep` is given all that it takes to go
    on, plain values and tensors; given back as `resume`, training ends as if never stopped.
    With `recipe.patience` the weights of the best epoch are restored at the end. `anew` builds
    another such model, to warm up with: a copy of a person's may reach for the original.

    Examples:
        >>> history = fb.fit(model, data.train, recipe, seed=0)
        >>> history.epochs
        1
    """
    device = resolve_device(device) if isinstance(device, str) else device
    keep_freed_memory()
    training, validation = hold_out(data.to(device), recipe.validation_images, recipe.train_images)
    model.to(device)
    lay_out(model, pixels(training.images[:FEW]), anew)
    updater, step = begin(model, training, recipe)
    result, best = Fit(warm_up_seconds=warm_up(model, training, recipe, anew)), None
    if resume is None and recipe.probe_epochs:
        result.train_seconds = probe(model, training, recipe, seed)
    if resume is not None:
        result, best = Fit(**resume["fit"]), resume["best"]
        model.load_state_dict(resume["model"])
        updater.load_state_dict(resume["updater"])
    threads, bar = useful_threads(model, recipe), _bar(training, recipe, result, description)
    with isolated(device), threads_at_most(threads), bar:
        while not result.is_over(recipe):
            seed_generators(device, derive_seed(seed, "dropout", result.epochs))
            model.train()
            synchronize(device)
            start = time.perf_counter()
            losses = []
            with frozen(model, recipe, result.epochs):
                for batch in epoch_batches(training, recipe, [seed], result.epochs):
                    losses.append(step(batch))
                    bar.update()
            synchronize(device)
            result.train_seconds = (result.train_seconds or 0) + time.perf_counter() - start
            result.add_epoch(torch.stack(losses))
            updater.swap()
            result.validate(model, validation, recipe)
            if recipe.patience is not None and result.best_epoch(recipe) == result.epochs:
                best = copy.deepcopy(model.state_dict())
            updater.swap()
            keep(
                {
                    "model": model.state_dict(),
                    "updater": updater.state_dict(),
                    "fit": asdict(result),
                    "best": best,
                }
            )
    updater.swap()
    if best is not None:
        model.load_state_dict(best)
    return result


def begin(
    model: nn.Module, training: Split, recipe: Recipe, *, record: bool = True
) -> tuple[Updater, Callable[[Batch], Tensor]]:
    """A run's updater and its step: one update by a batch, whose mean loss stays on the device."""
    updater, differentiate = passes(model, recipe, epoch_steps(len(training), recipe))
    recorded = record and can_be_recorded(model, updater)
    run = Recording(differentiate, updater.parameters) if recorded else differentiate

    def step(batch: Batch) -> Tensor:
        loss = run(batch)
        updater.update()
        return loss

    return updater, step


def passes(
    model: nn.Module, recipe: Recipe, steps_an_epoch: int
) -> tuple[Updater, Callable[[Batch], Tensor]]:
    """A run's updater and its two passes: a batch's mean loss, and gradients by it."""
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    factors = rate_factors(model, recipe)
    updater = Updater(parameters, buffers, recipe, steps_an_epoch, factors=factors)

    def differentiate(batch: Batch) -> Tensor:
        with forward_precision(recipe, batch.images.device):
            logits = model(batch.images)
        loss = batch_loss(logits.float(), batch, recipe)
        updater.differentiate(loss)
        return loss.detach()

    return updater, differentiate


def forward_precision(recipe: Recipe, device: torch.device) -> AbstractContextManager[Any]:
    """The arithmetic of a forward pass in training."""
    if recipe.precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def useful_threads(model: nn.Module, recipe: Recipe) -> int | None:
    """How many threads of the CPU a step is worth; None for all that torch may use.

    In a net as small as V0, threads gain nothing where they wait for each other briefly, and lose
    a third where they do not. A matrix costs a multiplication an element and image; what has more
    dimensions, as a convolution's weights, is used all over an image.
    """
    parameters = list(model.parameters())
    work = recipe.batch_size * sum(parameter.numel() for parameter in parameters)
    small = all(parameter.ndim <= 2 for parameter in parameters) and work <= ONE_THREADS_WORK
    return 1 if small else None


def warm_up(
    model: nn.Module,
    training: Split,
    recipe: Recipe,
    anew: Callable[[], nn.Module] | None = None,
) -> float:
    """Train a copy for a few steps, so that one-time costs fall outside the clock; seconds."""
    start = time.perf_counter()
    device = training.images.device
    with isolated(device), threads_at_most(useful_threads(model, recipe)):
        rehearsal = copy_model(model, anew)
        rehearsal.train()
        _, step = begin(rehearsal, training, recipe, record=False)
        batches = [*islice(epoch_batches(training, recipe, [0], 0), WARM_UP_STEPS)]
        # The short batch at an epoch's end has kernels of its own to choose.
        short = len(training) % recipe.batch_size or recipe.batch_size
        for batch in [*batches, batches[-1].first(short)]:
            step(batch)
    synchronize(device)
    return time.perf_counter() - start


def _bar(training: Split, recipe: Recipe, result: Fit, description: str) -> Any:
    steps = epoch_steps(len(training), recipe)
    return progress_bar(
        total=recipe.epochs * steps,
        initial=result.epochs * steps,
        desc=description,
        unit="step",
    )
