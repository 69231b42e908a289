"""fit(model, data, recipe, seed): the training loop, plain PyTorch on one screen.

Knows nothing of tables, stores, or the test set.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from fashionbench.config.recipe import Recipe, load_recipe
from fashionbench.core.logits import pixels
from fashionbench.core.progress import progress_bar
from fashionbench.core.seeds import Seed, derive_seed
from fashionbench.data.split import Split, hold_out
from fashionbench.training.batches import count_steps, epoch_batches
from fashionbench.training.devices import (
    reproducible,
    resolve_device,
    retain_freed_memory,
    seed_generators,
    synchronize,
    threads_at_most,
)
from fashionbench.training.evaluation import check_arguments
from fashionbench.training.history import History
from fashionbench.training.kernels.verified import build_engine
from fashionbench.training.layout import FEW, lay_out
from fashionbench.training.losses import collect_losses, detach_loss
from fashionbench.training.step import Step, useful_threads, warm_up
from fashionbench.training.transfer import freeze_layers, probe

__all__ = ["TrainingState", "fit"]


class TrainingState(TypedDict):
    """What it takes to go on after an epoch: plain values and tensors."""

    model: dict[str, Tensor]
    """The model's state_dict."""
    updater: dict[str, Any]
    """The updater's: steps taken, the optimizer's state, running means."""
    fit: dict[str, Any]
    """The fields of the History so far."""
    best: dict[str, Tensor] | None
    """The model's state_dict after its best epoch; None where the recipe has no patience."""


def fit(
    model: nn.Module,
    data: Split,
    recipe: Recipe | str = "default",
    seed: Seed = 0,
    *,
    device: torch.device | str = "auto",
    description: str = "",
    resume: TrainingState | None = None,
    keep: Callable[[TrainingState], None] = lambda state: None,
    anew: Callable[[], nn.Module] | None = None,
    **settings: Any,
) -> History:
    """Train `model` in place on `data`, from the weights it has, and leave it on `device`.

    `recipe` is a Recipe, the name of a shipped one, or the path of a .toml file, and `settings`
    replace single ones of it, as in epochs=5, lr=0.05 or loss=my_loss. `seed` fixes the
    order of images, their augmentation and what dropout drops; torch's own generators are left as
    they were. After each epoch `keep` is given all that it takes to go on; given back as `resume`,
    training ends as if never stopped. With `recipe.patience` the weights of the best epoch are
    restored at the end. `anew` builds another such model, to warm up with: a copy of a person's
    may reach for the original. `description` stands beside the progress bar.

    Raises UsageError for a recipe or device that is not there, a recipe with `probe_epochs` for a
    model without a linear layer at its end, a name in place of the model, or a Dataset in place of
    its split.

    Examples:
        >>> history = fb.fit(model, data.train, "default", seed=0)
        >>> history.epochs
        3
        >>> history.curve[-1][1] < history.curve[0][1]
        True
    """
    check_arguments(model, data)
    recipe = (recipe if isinstance(recipe, Recipe) else load_recipe(recipe)).override(**settings)
    device = resolve_device(device)
    retain_freed_memory()
    training, validation = hold_out(data.to(device), recipe.validation_images, recipe.train_images)
    threads = useful_threads(model.to(device), recipe)
    engine = build_engine(model, training, recipe, anew, threads=threads or torch.get_num_threads())
    if engine is None:
        lay_out(model, pixels(training.images[:FEW]), anew)
    step = Step(model, recipe, count_steps(len(training), recipe), engine=engine)
    history, best = History(warm_up_seconds=warm_up(model, training, recipe, anew)), None
    if resume is None and recipe.probe_epochs:
        history.train_seconds = probe(model, training, recipe, seed)
    if resume is not None:
        history, best = History(**resume["fit"]), resume["best"]
        model.load_state_dict(resume["model"])
        step.updater.load_state_dict(resume["updater"])
    history.engine = "torch" if engine is None else "kernels"
    with (
        reproducible(device),
        # An engine has threads of its own; torch's would wait beside them, at their cost.
        threads_at_most(threads if engine is None else 1),
        _bar(training, recipe, history, description) as bar,
    ):
        while not history.is_over(recipe):
            seed_generators(device, derive_seed(seed, "dropout", history.epochs))
            model.train()
            synchronize(device)
            start = time.perf_counter()
            losses = []
            with freeze_layers(model, recipe, history.epochs):
                for batch in epoch_batches(training, recipe, [seed], history.epochs):
                    losses.append(detach_loss(step(batch)))
                    bar.update()
            synchronize(device)
            history.train_seconds = (history.train_seconds or 0) + time.perf_counter() - start
            history.add_epoch(collect_losses(losses))
            with step.updater.averaged():
                history.validate(model, validation, recipe)
                if history.is_best(recipe):
                    best = copy.deepcopy(model.state_dict())
            keep(
                {
                    "model": model.state_dict(),
                    "updater": step.updater.state_dict(),
                    "fit": asdict(history),
                    "best": best,
                }
            )
    step.updater.use_average()
    if best is not None:
        model.load_state_dict(best)
    return history


def _bar(training: Split, recipe: Recipe, history: History, description: str) -> Any:
    steps = count_steps(len(training), recipe)
    return progress_bar(
        total=recipe.epochs * steps,
        initial=history.epochs * steps,
        desc=description,
        unit="step",
    )
