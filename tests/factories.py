"""What several tests make: records of runs that never ran, data, pictures, small models, jobs."""

import gzip
import io
import math
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor, nn

from fashionbench.config.execution import Parallel
from fashionbench.config.recipe import SEARCHED, load_recipe
from fashionbench.config.study import Job, Study
from fashionbench.config.tuning import Tuning
from fashionbench.core.machine import Environment
from fashionbench.data.datasets import identify_dataset, load_data
from fashionbench.data.split import Dataset
from fashionbench.experiments.cluster.conditions import digest_data, make_plan
from fashionbench.experiments.cluster.plan import Plan
from fashionbench.experiments.comparison import plan
from fashionbench.experiments.result import Result, load_result
from fashionbench.stats.metrics import image_losses, score
from fashionbench.store.records import RunRecord, TestSet
from fashionbench.store.run_store import RunStore
from fashionbench.store.trials import follow

CPU = torch.device("cpu")
PATIENCE = 3600
"""Seconds after which a test gives up: so far away that no slow machine comes near it."""
CLASSES = (*(f"class {letter}" for letter in "abcdefghi"), "<j> & co")
LABELS = np.repeat(np.arange(10), 20)
IMAGES = np.random.default_rng(0).integers(0, 256, (200, 28, 28), np.uint8)

NET = """
from torch import nn
class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    def forward(self, images):
        return self.layers(images)
"""
"""A file with a network, which a test gives its name."""


def make_record(
    job: Job | None = None, *, skill: float = 2.0, outcome: str = "ok", alone: bool = True
) -> RunRecord:
    """A run whose logits favour the right class by `skill`; NaN logits where it diverged."""
    job = job or Job(model="v0", recipe=load_recipe("default"), seed=0, dataset="silhouettes")
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
        environment=Environment(
            versions={"torch": "2.11.0", "numpy": "2.0.0", "python": "3.12.0"},
            platform="Linux",
            processor="A processor",
            threads=2,
            device="cpu",
            way="alone",
        ),
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
    **asked: object,
) -> Result:
    """A finished comparison in `folder`, by way of the store; later models are better."""
    recipe = load_recipe("default")
    study = Study(
        models=models,
        recipes=tuple(recipe.override(epochs=number) for number in epochs),
        seeds=tuple(range(seeds)),
        dataset="silhouettes",
        **asked,
    )
    store = RunStore(folder, create=True)
    for jobs in study.entries():
        skill = 1.5 + models.index(jobs[0].model)
        for job in jobs:
            outcome = (outcomes or {}).get(job.model, "ok")
            store.save_run(make_record(job, skill=skill, outcome=outcome))
    store.save_study(study, "fashionbench compare --dataset silhouettes")
    save_silhouettes(store)
    return load_result(folder)


def make_tuned_result(
    folder: Path,
    *,
    models: tuple[str, ...] = ("v0", "v1"),
    tune: tuple[str, ...] = ("learning_rate",),
    trials: int = 12,
    studies: int = 3,
    seeds: int = 6,
    best: float = 0.01,
    tune_only: tuple[str, ...] = (),
    collapse_above: float = math.inf,
) -> Result:
    """A tuned comparison; the first model is best at the rate `best`, others at 0.1.

    The tuning of models that are not named by `tune_only` is not finished.
    """
    study = Study(
        models=models,
        recipes=(load_recipe("default"),),
        seeds=tuple(range(seeds)),
        dataset="silhouettes",
        tuning=Tuning(
            ranges={setting: SEARCHED[setting] for setting in tune},
            trials=trials,
            studies=studies,
            images=600,
        ),
    )
    store = RunStore(folder, create=True)

    def run(job: Job) -> None:
        there = best if job.model == models[0] else 0.1
        distance = abs(math.log2(job.recipe.learning_rate / there))
        outcome = "collapsed" if job.recipe.learning_rate > collapse_above else "ok"
        record = make_record(job, skill=3 - 0.3 * distance, outcome=outcome)
        store.save_run(replace(record, spent_seconds=0.5))

    for number, jobs in enumerate(study.entries()):
        progress = follow(study, number, store.load_run)
        while progress.missing and jobs[0].model in (tune_only or models):
            for job in progress.missing:
                run(job)
            progress = follow(study, number, store.load_run)
        for job in {job.key: job for job in (*jobs, *progress.jobs)}.values():
            run(job)
    store.save_study(study, "fashionbench compare --tune lr --dataset silhouettes")
    save_silhouettes(store)
    return load_result(folder)


def save_silhouettes(store: RunStore) -> None:
    """Keep the test images that the records above speak of."""
    labels = LABELS.astype(np.uint8)
    store.save_test_set(TestSet("silhouettes", "Silhouettes (a title)", CLASSES, IMAGES, labels))


def draw_runs(
    rng: np.random.Generator, seeds: int, images: int, *, seed_sd: float, gain: float = 0.0
) -> NDArray[np.bool_]:
    """(S, N) correctness: each image has a chance of its own, each seed shifts all of them."""
    chance = rng.beta(4, 1, images) * 0.9
    shift = rng.normal(gain, seed_sd, (seeds, 1))
    return rng.random((seeds, images)) < chance + shift


def sampling_error(rate: float, count: int) -> float:
    """Four standard errors of a simulated rate: a right method misses by more once in 16,000."""
    return 4 * math.sqrt(rate * (1 - rate) / count)


def jobs(model: str, seeds: int) -> tuple[Job, ...]:
    """Plan one epoch of `model` on silhouettes from each of so many seeds."""
    study = plan([model], ["default"], seeds, dataset="silhouettes", epochs=1)
    return next(study.entries())


def plan_here(
    dataset: Dataset | str = "silhouettes", *, threads: int = 1, parallel: Parallel = "auto"
) -> Plan:
    """A plan by which jobs on a data set can be trained here."""
    if isinstance(dataset, str):
        dataset = load_data(dataset)
    named = {identify_dataset(dataset.name) or dataset.name: digest_data(dataset)}
    return make_plan(named, None, threads=threads, device="cpu", parallel=parallel)


def some_plan(**changes: object) -> Plan:
    """A plan by which nothing can be trained."""
    facts = {"code": "0", "torch": "2.11.0", "data": {}, "threads": 1, "folder": "/"}
    return Plan(**facts | changes)


NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def write_idx(folder: Path, arrays: list[np.ndarray], *, packed: bool = False) -> Path:
    """Write training images and labels, test images and labels, as MNIST's files."""
    folder.mkdir(exist_ok=True)
    for name, array in zip(NAMES, arrays, strict=True):
        head = struct.pack(f">{1 + array.ndim}i", 0x0800 + array.ndim, *array.shape)
        content = head + array.tobytes()
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    return folder


def some_arrays(classes: int = 3) -> list[np.ndarray]:
    """Draw 24 training and 12 test images of noise, each followed by their labels."""
    rng = np.random.default_rng(0)
    labels = [np.arange(count, dtype=np.uint8) % classes for count in (24, 12)]
    images = [rng.integers(0, 256, (len(of), 28, 28), np.uint8) for of in labels]
    return [images[0], labels[0], images[1], labels[1]]


LEFT_HALF = [(30, 40), (60, 30), (100, 30), (130, 40), (150, 80), (125, 90), (120, 75), (120, 170)]
OUTLINE = [*LEFT_HALF, *((160 - x, y) for x, y in reversed(LEFT_HALF))]


def drawn(item: object, ground: object, mode: str = "RGB", size: int = 160) -> Image.Image:
    """Draw the outline of a shirt."""
    picture = Image.new(mode, (160, 200), ground)
    ImageDraw.Draw(picture).polygon(OUTLINE, fill=item)
    return picture.resize((size, size * 200 // 160))


def photo(seed: int = 0) -> tuple[Image.Image, NDArray[np.bool_]]:
    """Draw a red shirt with folds on boards of wood, in uneven light; and where the shirt is."""
    rng = np.random.default_rng(seed)
    inside = np.asarray(drawn(255, 0, "L")) > 127
    boards = 20 * (np.arange(200)[:, None] // 25 % 2) + rng.normal(0, 8, (200, 160))
    ground = np.stack([150 + boards, 120 + boards, 85 + boards], axis=-1)
    folds = 25 * np.sin(np.arange(160) / 9) + rng.normal(0, 6, (200, 160))
    shirt = np.stack([170 + folds, 40 + folds / 2, 50 + folds / 2], axis=-1)
    pixels = np.where(inside[..., None], shirt, ground) * np.linspace(1.1, 0.8, 160)[:, None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), inside


def png(picture: Image.Image) -> bytes:
    """Return the picture as the bytes of a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@contextmanager
def running(*arguments: object, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Start a program that ends with the block, whatever happens, and with it all it started."""
    program = [str(argument) for argument in arguments]
    process = subprocess.Popen(program, text=True, start_new_session=True, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def wait_until(event: Callable[[], bool], process: "subprocess.Popen[str] | None" = None) -> None:
    """Wait for an event; fail where the process that is to bring it about ends without it."""
    deadline = time.monotonic() + PATIENCE
    while not event():
        assert process is None or process.poll() is None or event()
        assert time.monotonic() < deadline
        time.sleep(0.005)


SHIRT = png(drawn((40,) * 3, (255,) * 3))
BLANK = [[0] * 28] * 28


TERMINALS_END = b"the end"


def seen_on_a_terminal(program: Callable[[int], object]) -> bytes:
    """Return what `program` writes to the terminal whose descriptor it is given."""
    import pty
    import termios

    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    program(writer)
    os.write(writer, TERMINALS_END)
    seen = b""
    while TERMINALS_END not in seen:
        seen += os.read(reader, 4096)
    os.close(writer)
    os.close(reader)
    return seen.partition(TERMINALS_END)[0]


class Asking(nn.Module):
    """Looks at its own numbers to decide what to do: no two members can share a step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.layer(images.flatten(1))
        return logits if logits.sum().item() > 0 else -logits


def run_cli(*arguments: object, cwd: Path, **options) -> subprocess.CompletedProcess[str]:
    """Run the fashionbench command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "fashionbench", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **options,
    )


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


def stacked(models: list[nn.Module]) -> dict[str, Tensor]:
    names = [name for name, _ in models[0].named_parameters()]
    return {
        name: torch.stack([m.get_parameter(name).detach() for m in models]).requires_grad_()
        for name in names
    }
