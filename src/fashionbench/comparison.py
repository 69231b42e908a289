"""A Study -> the jobs not yet recorded -> run records -> the comparison.

Stop and run again is safe: a job in the store is never run twice.
"""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashionbench.config import Job, Recipe, Study, load_recipe
from fashionbench.data import DATASETS, Dataset, load_data
from fashionbench.errors import Interrupted, UsageError
from fashionbench.models import identify, model_entry
from fashionbench.progress import progress_bar
from fashionbench.records import Outcome, RunRecord, RunStore, TestSet, environment, now
from fashionbench.result import Result, collect

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["compare", "plan", "run_job", "run_study"]


def compare(
    models: Sequence["str | Callable[[], nn.Module]"] = ("v0", "v1", "v2"),
    recipes: Sequence[str | Recipe] = ("seed",),
    seeds: int | Iterable[int] = 5,
    *,
    dataset: str = "fashion-mnist",
    data: Path | str | None = None,
    device: str = "auto",
    out: Path | str | None = None,
    **settings: Any,
) -> Result:
    """Train every model with every recipe from every seed, and compare them on the test set.

    Models are keys of the table or classes and functions of your own that take no
    arguments. `seeds` is a number of seeds or the seeds themselves, `data` the
    folder of the data set, `out` the run folder (default runs/DATASET); finished
    runs found there are not run again. `settings` replace single settings of the
    recipes, such as epochs=5. Writes the report into the run folder.

    Raises UsageError, DataError or StoreError for what cannot be done, and
    Interrupted after Ctrl-C.
    """
    study = plan(models, recipes, seeds, dataset=dataset, device=device, **settings)
    return run_study(study, Path(out or default_folder(dataset)), data, "the same call")


def default_folder(dataset: str) -> Path:
    """Where the runs of a data set are kept unless the person says otherwise."""
    return Path("runs") / dataset


def plan(
    models: Sequence["str | Callable[[], nn.Module]"],
    recipes: Sequence[str | Recipe],
    seeds: int | Iterable[int],
    *,
    dataset: str,
    device: str = "auto",
    **settings: Any,
) -> Study:
    """Turn what was asked into a Study; UsageError for anything that does not exist."""
    if dataset not in DATASETS:
        raise UsageError(f"There is no data set {dataset!r}; there are {', '.join(DATASETS)}.")
    if isinstance(seeds, int):
        if seeds < 1:
            raise UsageError(f"{seeds} seeds cannot be compared; ask for 1 or more.")
        seeds = range(seeds)
    if not models or not recipes:
        raise UsageError("There is nothing to compare; name at least one model and one recipe.")
    named = [identify(model) for model in models]
    chosen = [load_recipe(recipe) if isinstance(recipe, str) else recipe for recipe in recipes]
    return Study.checked(
        {
            "models": [name for name, _ in named],
            "model_sources": [source for _, source in named],
            "recipes": [recipe.override(**settings) for recipe in chosen],
            "seeds": tuple(seeds),
            "dataset": dataset,
            "device": device,
        },
        "comparison",
    )


def run_study(study: Study, folder: Path, data: Path | str | None, command: str) -> Result:
    """Run the jobs of `study` that `folder` does not hold yet, and write its report.

    `command` is what a person types to ask for the same again.
    """
    store = RunStore(folder, create=True)
    jobs = [job for entry in study.entries() for job in entry]
    to_run = [job for job in jobs if store.load_run(job, study.device) is None]
    store.save_study(study, command)
    if to_run:
        try:
            _run_all(to_run, study, store, data)
        except KeyboardInterrupt:
            finished = sum(store.load_run(job, study.device) is not None for job in jobs)
            raise Interrupted(
                f"Interrupted: {finished} of {len(jobs)} runs are finished and kept in {folder}. "
                f"To go on: {command}"
            ) from None
    result = collect(store, study, command)
    if not result.is_reported:
        from fashionbench.report import write_report

        write_report(result)
    return result


def _run_all(jobs: Sequence[Job], study: Study, store: RunStore, data: Path | str | None) -> None:
    # torch is imported only when there is something to run: rendering finished
    # runs again must not wait for it.
    from fashionbench.devices import resolve_device

    device = resolve_device(study.device)
    dataset = load_data(study.dataset, data)
    store.save_test_set(
        TestSet(
            dataset.name,
            dataset.title,
            dataset.classes,
            dataset.test.images.numpy(),
            dataset.test.labels.numpy(),
        )
    )
    with progress_bar(total=len(jobs), unit="run", desc="compare") as bar:
        for job in jobs:
            run_job(job, dataset, device, store)
            bar.update()


def run_job(job: Job, dataset: Dataset, device: "torch.device", store: RunStore) -> RunRecord:
    """One run from seed to record: build, fit, look at the test set once, keep weights and record.

    The device is taken to be otherwise idle, so that `train_seconds` is a training time.
    """
    import torch

    from fashionbench.checkpoint import checkpoint_path, save_model
    from fashionbench.devices import describe_device
    from fashionbench.evaluation import infer
    from fashionbench.models import build_model
    from fashionbench.scores import image_losses, score
    from fashionbench.train import fit

    label = model_entry(job.model).label
    model = build_model(job.model, job.seed)
    flops = flops_per_image(model)
    trained = fit(
        model,
        dataset.train,
        job.recipe,
        job.seed,
        device=device,
        description=f"{label} seed {job.seed}",
    )
    start = time.perf_counter()
    labels = dataset.test.labels.numpy()
    logits = infer(model, dataset.test.images)
    test_seconds = time.perf_counter() - start
    predicted = logits.argmax(axis=1).astype("uint8")
    called = set(predicted.tolist())
    outcome: Outcome = "ok"
    if trained.diverged or not (logits == logits).all():
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
            "test": test_seconds,
        },
        curve=trained.curve,
        validation_curve=trained.validation_curve,
        scores=score(logits, labels),
        dead_classes=[k for k in range(len(dataset.classes)) if k not in called],
        environment=environment(
            {name: sys.modules[name].__version__ for name in ("torch", "numpy", "fashionbench")},
            threads=torch.get_num_threads(),
            device=describe_device(device),
        ),
        recorded_at=now(),
        predicted=predicted,
        losses=image_losses(logits, labels).astype("float32"),
    )
    # The weights first: whoever finds a record finds its weights too.
    facts = {
        "label": label,
        "classes": dataset.classes,
        "parameters": record.parameters,
        "test_accuracy": record.scores.accuracy,
        "environment": record.environment,
    }
    save_model(model, checkpoint_path(store.folder, job), job, facts)
    store.save_run(record)
    return record


def count_parameters(model: "nn.Module") -> int:
    """How many numbers training may change."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def flops_per_image(model: "nn.Module") -> int:
    """Floating-point operations of one forward pass over one 28x28 image; an addition is one."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from fashionbench.evaluation import pixels

    image = torch.zeros(1, 28, 28, dtype=torch.uint8)
    was_training = model.training
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model.eval()(pixels(image))
    model.train(was_training)
    return int(counter.get_total_flops())
