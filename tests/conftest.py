"""What the tests share: one thread each, small data, and the command line, here or on its own."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # tests run side by side; read when torch is imported

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from factories import Stream, make_tuned_result, running
from PIL import Image
from typer.testing import CliRunner, Result

from fashionbench.cli.app import app
from fashionbench.data.datasets import load_data
from fashionbench.data.split import Dataset, Split
from fashionbench.experiments.planning import plan
from fashionbench.experiments.resume import train_in_folder
from fashionbench.experiments.run import run_job
from fashionbench.report.comparison import Comparison
from fashionbench.store.records import TestSet
from fashionbench.store.run_store import RunStore

# What a shell starts in its background ignores Ctrl-C, and so would the programs of the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)


BROWSER = "browser"
"""The fixture of the tests that ask for Chromium, and their marker."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if BROWSER in getattr(item, "fixturenames", ()):
            item.add_marker(BROWSER)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say at the end whether the page was tested in a browser, or how many tests were skipped."""
    counts = {
        outcome: len({r.nodeid for r in reports if BROWSER in getattr(r, "keywords", ())})
        for outcome, reports in terminalreporter.stats.items()
        if outcome in ("passed", "failed", "error", "skipped")
    }
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    if told:
        terminalreporter.write_line(f"The page's tests in Chromium: {told}.")


@pytest.fixture(scope="session")
def silhouettes() -> Dataset:
    return load_data("silhouettes")


@pytest.fixture(scope="session")
def few(silhouettes: Dataset) -> Split:
    """500 training images: 15 whole batches of 32 and a short one."""
    return Split(silhouettes.train.images[:500], silhouettes.train.labels[:500])


@pytest.fixture(scope="session")
def tuned_result(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """v0 is best at a tenth of the recipe's rate, v1 at the recipe's; 12 points, three studies."""
    return make_tuned_result(tmp_path_factory.mktemp("tuned"))


@pytest.fixture(scope="session")
def run_folder(silhouettes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison of v0 and mlp, one epoch from seed 0, and a stand-in for its report."""
    study = plan(["v0", "mlp"], ["default"], 1, dataset="silhouettes", device="cpu", epochs=1)
    store = RunStore(tmp_path_factory.mktemp("runs") / "silhouettes", create=True)
    test = silhouettes.test
    store.save_test_set(
        TestSet(
            silhouettes.name,
            silhouettes.title,
            silhouettes.classes,
            test.images.numpy(),
            test.labels.numpy(),
        )
    )
    store.save_study(study, "fashionbench compare --models v0,mlp --seeds 1")
    for (job,) in study.entries():
        run_job(job, silhouettes, torch.device("cpu"), store)
    (store.folder / "report.html").write_text("<!doctype html><title>The report</title>")
    return store.folder


@pytest.fixture(scope="session")
def ink_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of a person's own light bars on black: across or upright."""
    folder = tmp_path_factory.mktemp("ink")
    rng = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 4)):
        for name in ("across", "upright"):
            (folder / "mine" / split / name).mkdir(parents=True)
            for number in range(count):
                image = np.zeros((28, 28), np.uint8)
                image[rng.integers(8, 17) :][:3, 4:24] = 200 + number
                picture = Image.fromarray(image if name == "across" else image.T)
                picture.save(folder / "mine" / split / name / f"{number}.png")
    ((job,),) = plan(["linear"], ["default"], 1, dataset=str(folder / "mine"), epochs=20).entries()
    train_in_folder(job, folder / "trained", device="cpu")
    return folder / "trained"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The root of the real data set; the test skips without it."""
    root = os.environ.get("FASHIONBENCH_DATA")
    if not root or not (Path(root) / "FashionMNIST" / "raw").is_dir():
        pytest.skip("needs the real data set in FASHIONBENCH_DATA")
    return Path(root)


@pytest.fixture
def call_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The fashionbench command in this process, where it starts at once; works in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def start() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start programs that end with the test, whatever happens."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(running(*arguments, **options))


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Torch computes on two threads during the test."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> type[Stream]:
    """Streams of the CPU, where all happens in turn, and no graph."""
    Stream.log, Stream.current = [], Stream()

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        before, Stream.current = Stream.current, stream
        Stream.log.append((stream, "computes", None))
        yield
        Stream.current = before

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: Stream.current)
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(
        "fashionbench.training.many_seeds.streams.Captured", lambda compute, parameters: compute
    )
    return Stream
