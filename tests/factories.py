"""What several tests are made of: records of runs that never ran, small models, drawn images."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fashionbench.config.recipe import load_recipe
from fashionbench.config.study import Job, Study
from fashionbench.report.result import Result, load_result
from fashionbench.stats.metrics import image_losses, score
from fashionbench.store.records import RunRecord, TestSet
from fashionbench.store.run_store import RunStore

CLASSES = (*(f"class {letter}" for letter in "abcdefghi"), "<j> & co")
LABELS = np.repeat(np.arange(10), 20)
IMAGES = np.random.default_rng(0).integers(0, 256, (200, 28, 28), np.uint8)


def make_record(
    job: Job | None = None, *, skill: float = 2.0, outcome: str = "ok", alone: bool = True
) -> RunRecord:
    """A run whose logits favour the right class by `skill`; NaN logits where it diverged."""
    job = job or Job(model="v0", recipe=load_recipe("seed"), seed=0, dataset="silhouettes")
    rng = np.random.default_rng(int(job.key, 16))
    logits = rng.normal(size=(200, 10)) + skill * np.eye(10)[LABELS]
    if outcome == "diverged":
        logits[:] = np.nan
    predicted = logits.argmax(axis=1).astype(np.uint8)
    epochs = job.recipe.epochs
    curve = [(epoch, float(1 / epoch + rng.random())) for epoch in np.linspace(0.1, epochs, 10)]
    return RunRecord(
        job=job,
        label=f"Model<{job.model}>",
        device="cpu",
        outcome=outcome,
        epochs=epochs,
        parameters=7960,
        flops_per_image=15880,
        train_seconds=float(rng.uniform(1, 2)) if alone else None,
        other_seconds={"warm_up": 0.1, "validation": 0.0, "test": 0.2},
        curve=curve,
        validation_curve=[],
        scores=score(logits, LABELS),
        dead_classes=[k for k in range(10) if k not in predicted],
        environment={
            "versions": {"torch": "2.11.0", "numpy": "2.0.0", "python": "3.12.0"},
            "platform": "Linux",
            "processor": "A processor",
            "threads": 2,
            "device": "cpu",
        },
        recorded_at="2026-01-01T00:00:00+00:00",
        best_epoch=None,
        predicted=predicted,
        losses=image_losses(logits, LABELS).astype(np.float32),
    )


def make_result(
    folder: Path,
    *,
    models: tuple[str, ...] = ("v0", "v1", "v2"),
    epochs: tuple[int, ...] = (3,),
    seeds: int = 3,
    outcomes: dict[str, str] | None = None,
) -> Result:
    """A finished comparison in `folder`, by way of the store; later models are better."""
    recipe = load_recipe("seed")
    study = Study(
        models=models,
        recipes=tuple(recipe.override(epochs=number) for number in epochs),
        seeds=tuple(range(seeds)),
        dataset="silhouettes",
    )
    store = RunStore(folder, create=True)
    for jobs in study.entries():
        skill = 1.5 + models.index(jobs[0].model)
        for job in jobs:
            outcome = (outcomes or {}).get(job.model, "ok")
            store.save_run(make_record(job, skill=skill, outcome=outcome))
    store.save_study(study, "fashionbench compare --dataset silhouettes")
    store.save_test_set(
        TestSet("silhouettes", "Silhouettes (a title)", CLASSES, IMAGES, LABELS.astype(np.uint8))
    )
    return load_result(folder)


def small_model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.LayerNorm(75), nn.Linear(75, 4)
        )


def random_images(number: int, seed: int = 0) -> Tensor:
    return torch.rand(number, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


def uniform(number: int, draws: int, seed: int = 1) -> Tensor:
    return torch.rand(number, draws, generator=torch.Generator().manual_seed(seed))


def rectangles(changed: Tensor, images: Tensor) -> list[tuple[int, int, int, int]]:
    """Top, left, height and width of what changed in each image where anything did."""
    found = []
    for difference in (changed != images)[:, 0].numpy():
        if difference.any():
            rows, columns = (np.flatnonzero(difference.any(axis)) for axis in (1, 0))
            sides = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
            found.append((rows[0], columns[0], *sides))
    return found


class Stream:
    """Stands in for torch.cuda.Stream; notes what waits for what, and which computes."""

    current: "Stream"
    log: list[tuple["Stream", str, "Stream | None"]]

    def wait_stream(self, other: "Stream") -> None:
        Stream.log.append((self, "waits for", other))
