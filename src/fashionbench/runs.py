"""One job or several of a kind -> run records: build, train, look at the test set once, keep."""

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fashionbench.augment import identify_changes
from fashionbench.checkpoint import checkpoint_path, save_model
from fashionbench.config import Job
from fashionbench.data import Dataset
from fashionbench.devices import describe_device
from fashionbench.errors import FashionbenchError, UsageError
from fashionbench.evaluation import calibrate, infer, pixels
from fashionbench.members import fit_members
from fashionbench.models import build_model, identify, model_entry
from fashionbench.own_code import told
from fashionbench.records import Outcome, RunRecord, RunStore, environment, now
from fashionbench.scores import image_losses, score
from fashionbench.train import Fit, fit

__all__ = ["count_parameters", "explained", "flops_per_image", "run_job", "run_together"]


def run_job(
    job: Job,
    dataset: Dataset,
    device: torch.device,
    store: RunStore,
    *,
    alone: bool = True,
    flops: int | None = None,
) -> RunRecord:
    """One run from seed to record.

    `alone` promises that the device is otherwise idle, so that the run has a training time.
    `flops` are the model's for an image where they are known already.
    """
    model = build_model(job.model, job.seed, len(dataset.classes))
    _refuse_changed(job)
    flops = flops_per_image(model) if flops is None else flops
    description = f"{model_entry(job.model).label} seed {job.seed}"
    with explained(job):
        trained = fit(
            model, dataset.train, job.recipe, job.seed, device=device, description=description
        )
    if not alone:
        trained.train_seconds = None
    way = "alone" if alone else "in one of several processes"
    test = _test(job, model, dataset)
    return _record(job, model, trained, test, dataset, store, flops, way)


def run_together(
    jobs: Sequence[Job],
    dataset: Dataset,
    device: torch.device,
    store: RunStore,
    *,
    abreast: bool = False,
) -> list[RunRecord]:
    """Runs that differ by their seed alone, stacked or `abreast`; records have no training time."""
    models = [build_model(job.model, job.seed, len(dataset.classes)) for job in jobs]
    _refuse_changed(jobs[0])
    flops = flops_per_image(models[0])
    with explained(jobs[0]):
        trained = fit_members(
            models,
            dataset.train,
            jobs[0].recipe,
            [job.seed for job in jobs],
            device=device,
            abreast=abreast,
            description=f"{model_entry(jobs[0].model).label}, {len(jobs)} seeds",
        )
    way = f"{'abreast' if abreast else 'stacked'} with {len(jobs)}"
    tested = [_test(job, model, dataset) for job, model in zip(jobs, models, strict=True)]
    record = partial(_record, dataset=dataset, store=store, flops=flops, way=way)
    # Scores and files of a hundred small models take longer than their training, on one thread.
    # Not so what torch computes, which is done by then: it has threads of its own.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(record, jobs, models, trained, tested))


@contextmanager
def explained(job: Job) -> Iterator[None]:
    """What can go wrong with a model only in training, told in a sentence as a UsageError."""
    try:
        yield
    except FashionbenchError:
        raise
    except torch.OutOfMemoryError:
        raise UsageError(
            f"{job.model} does not fit into the device's memory with batches of "
            f"{job.recipe.batch_size}; give a smaller --batch-size."
        ) from None
    except Exception as error:  # whatever a person's own code may raise
        if "more than 1 value per channel" in str(error):  # of batch normalization
            raise UsageError(
                f"{job.model} normalizes over a batch, and an epoch ends with a batch of one "
                "image; give another --batch-size or --train-images."
            ) from None
        if not (job.model_source or job.recipe_source):
            raise
        raise UsageError(f"{job.model} cannot be trained: {told(error)}") from None


def _refuse_changed(job: Job) -> None:
    """A run is known by the source it was planned with; another's is not kept under its name."""
    for name, is_changed in (
        (job.model, identify(job.model)[1] != job.model_source),
        ("the augmentation", identify_changes(job.recipe.augmentation) != job.recipe_source),
    ):
        if is_changed:
            raise UsageError(
                f"The source of {name} has changed since the comparison began; finished runs are "
                "kept. Give the command again to train with the new one."
            )


@dataclass(frozen=True)
class _Test:
    """What a trained model answers: all of a record that the device has to compute."""

    logits: NDArray[np.float32]
    """(N, K) for the test images."""
    seconds: float
    temperature: float | None


def _test(job: Job, model: nn.Module, dataset: Dataset) -> _Test:
    start = time.perf_counter()
    logits = infer(model, dataset.test.images, job.recipe.test_views)
    seconds = time.perf_counter() - start
    return _Test(logits, seconds, calibrate(model, dataset.train, job.recipe))


def _record(
    job: Job,
    model: nn.Module,
    trained: Fit,
    test: _Test,
    dataset: Dataset,
    store: RunStore,
    flops: int,
    way: str,
) -> RunRecord:
    label = model_entry(job.model).label
    device = next(model.parameters()).device
    logits, labels = test.logits, dataset.test.labels.cpu().numpy()
    predicted = logits.argmax(axis=1).astype("uint8")
    called = set(predicted.tolist())
    outcome: Outcome = "ok"
    if trained.diverged or not np.isfinite(logits).all():
        outcome = "diverged"
    elif len(called) == 1:
        outcome = "collapsed"
    record = RunRecord(
        job=job,
        label=label,
        device=device.type,
        outcome=outcome,
        epochs=trained.epochs,
        parameters=count_parameters(model),
        flops_per_image=flops,
        train_seconds=trained.train_seconds,
        other_seconds={
            "warm_up": trained.warm_up_seconds,
            "validation": trained.validation_seconds,
            "test": test.seconds,
        },
        curve=trained.curve,
        validation_curve=trained.validation_curve,
        scores=score(logits, labels),
        dead_classes=[k for k in range(len(dataset.classes)) if k not in called],
        environment=environment(
            {name: sys.modules[name].__version__ for name in ("torch", "numpy", "fashionbench")},
            threads=torch.get_num_threads(),
            device=describe_device(device),
            way=way,
        ),
        recorded_at=now(),
        best_epoch=None if job.recipe.patience is None else trained.best_epoch(job.recipe),
        predicted=predicted,
        losses=image_losses(logits, labels).astype("float32"),
    )
    # The weights first: whoever finds a record finds its weights too.
    facts = {
        "label": label,
        "classes": dataset.classes,
        "parameters": record.parameters,
        "test_accuracy": record.scores.accuracy,
        "temperature": test.temperature,
        "environment": record.environment,
    }
    save_model(model, checkpoint_path(store.folder, job, device.type), job, facts)
    store.save_run(record)
    return record


def count_parameters(model: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def flops_per_image(model: nn.Module) -> int:
    """Floating-point operations of a forward pass over one 28x28 image; an addition is one.

    Those of convolutions and products of matrices, which torch counts; the others are few.
    """
    image = torch.zeros(1, 28, 28, dtype=torch.uint8)
    was_training = model.training
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model.eval()(pixels(image))
    model.train(was_training)
    return int(counter.get_total_flops())
