"""Hold a drawn net to one sentence, or many of them:

    python tests/every_way.py --nets 2000

*Stacked, alone, in a process, resumed, loaded again and exported, a model gives the same answers,
or the program has said why not.* And of a net without a fault it has said nothing.
"""

import argparse
import logging
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from drawn_nets import Net, draw_net
from factories import plan_here, write_idx
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm import tqdm

from fashionbench.config.study import Job
from fashionbench.core import own_code
from fashionbench.core.logits import infer, pixels
from fashionbench.core.seeds import derive_seed
from fashionbench.data.datasets import load_data
from fashionbench.data.split import Dataset, hold_out
from fashionbench.errors import FashionbenchError, Interrupted
from fashionbench.experiments import strategy
from fashionbench.experiments.cluster.inbox import Inbox
from fashionbench.experiments.cluster.local import start_worker
from fashionbench.experiments.cluster.plan import Block, PlanFolder
from fashionbench.experiments.gate import builder, examine
from fashionbench.experiments.planning import plan
from fashionbench.experiments.resume import train_in_folder
from fashionbench.experiments.run import run_job, run_together
from fashionbench.inference.export import FORMATS, export_model
from fashionbench.models.checkpoint import checkpoint_path, load_facts, load_model
from fashionbench.store.packed import RunFile, run_file_name
from fashionbench.store.records import RunRecord, TestSet
from fashionbench.store.run_store import RunStore
from fashionbench.training.batches import epoch_batches
from fashionbench.training.devices import reproducible, seed_generators
from fashionbench.training.history import History
from fashionbench.training.layout import FEW, lay_out

__all__ = ["Story", "Worker", "small_data", "tell"]

CPU = torch.device("cpu")
SETTINGS: dict[str, Any] = {"epochs": 2, "batch_size": 32, "learning_rate": 0.05}
TRAINING_IMAGES, TEST_IMAGES = 112, 40
"""Three whole batches and a short one, twice: in eight steps rounding has little time to grow."""
ROUNDING = 1e-3
"""Of the largest number: what the program calls rounding too. Nearly all nets that are right stay a
thousand times below. But a norm over what is nearly constant makes rounding hundreds of times
larger in every step: so a net may also differ by ten times what `NUDGE`, in its first weights and
in all pixels, does to it by hand. In channels_last torch's own norms of maps round a thousand times
more to begin with: a net that has one may differ by as much as it does by hand in the two layouts.
"""
NUDGE = 1e-6
"""Of a weight, and of the range of a pixel: eight roundings of float32."""
OTHER_DRAWS = 0.5
"""Nats: by how much the mean loss may differ where other units are dropped."""
UNSEEDED = {"drawn anew", "trained anew", "random", "shared"}
"""Remarks by which no two runs need be the same."""


@dataclass
class Story:
    """What came of one net."""

    net: Net
    said: dict[str, str] = field(default_factory=dict)
    """What the program said of it, by kind; a sentence each."""
    faults: list[str] = field(default_factory=list)
    """Where answers differ and nothing is said of it, or something is said without need."""
    largest: dict[str, float] = field(default_factory=dict)
    """The largest difference of each way from the run alone, as a part of the largest number."""

    amplified: set[str] = field(default_factory=set)
    """Ways that differ by rounding which the net itself makes large."""
    bent: Callable[[], float] = lambda: 0.0
    """Finds out what NUDGE and the layout do by hand."""

    def compare(self, way: str, found: Any, expected: Any, excuses: set[str] = UNSEEDED) -> None:
        """Note a difference that is more than rounding, unless one of `excuses` was said."""
        difference = _difference(found, expected)
        if excuses & {*self.said}:
            return
        self.largest[way] = max(difference, self.largest.get(way, 0.0))
        if difference <= ROUNDING:
            return
        if difference <= 10 * self.bent():
            self.amplified.add(way)
        else:
            self.faults.append(f"{way}: differs by {difference:.2g} of the largest, and silently")

    def compare_loosely(self, way: str, found: RunRecord, expected: RunRecord) -> None:
        """The same where other numbers are drawn by right: the mean loss is about the same."""
        difference = abs(float(found.losses.mean() - expected.losses.mean()))
        if not difference <= OTHER_DRAWS and not UNSEEDED & {*self.said}:
            self.faults.append(f"{way}: a mean loss that differs by {difference:.2g}, silently")

    @contextmanager
    def refused(self, kind: str) -> Iterator[None]:
        """A sentence that is raised is something said; whatever else is raised is a fault."""
        try:
            yield
        except FashionbenchError as error:
            self.said[kind] = str(error)
            if "\n" in str(error):
                self.faults.append(f"{kind}: more than a line: {error}")
        except Exception as error:
            self.faults.append(f"{kind}: a bare {type(error).__name__}: {str(error)[:300]}")
            self.said[kind] = ""


def _difference(found: Any, expected: Any) -> float:
    found, expected = (np.asarray(values, np.float64) for values in (found, expected))
    if found.shape != expected.shape:
        return float("inf")
    largest = max(1.0, float(np.abs(expected).max(initial=0)))
    return float(np.abs(found - expected).max(initial=0)) / largest


class Worker:
    """A process that runs one job after another, as those of a comparison in processes."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.plan = folder, PlanFolder(folder)
        self.plan.write(plan_here(str(data), parallel="serial"))
        self.process = start_worker(folder)

    def begin(self, job: Job) -> None:
        self.plan.add(Block(jobs=(job,)))

    def end(self, job: Job) -> RunRecord | str:
        """The record of the job that was begun, or what went wrong."""
        block, inbox = Block(jobs=(job,)).name, Inbox(self.folder)
        path = inbox.folder / run_file_name(job.key, "cpu")
        while not path.is_file():
            if failures := inbox.read_failures(block):
                self.plan.remove(block)
                return failures[0].message
            if self.process.poll() is not None:  # after a failure, or where it cannot go on
                self.process = start_worker(self.folder)
            time.sleep(0.02)
        self.plan.remove(block)
        return RunFile.read(path).run.unpack()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def small_data(folder: Path) -> Path:
    """A folder with a data set of a few silhouettes, which every process reads alike."""
    drawn = load_data("silhouettes")
    train, _ = hold_out(drawn.train, 0, TRAINING_IMAGES)
    test, _ = hold_out(drawn.test, 0, TEST_IMAGES)
    arrays = [part.numpy().astype(np.uint8) for s in (train, test) for part in (s.images, s.labels)]
    return write_idx(folder, arrays)


def tell(net: Net, folder: Path, data: Path, worker: Worker | None, onnx: bool = False) -> Story:
    """Train a net in every way; `folder` is for its files."""
    story = Story(net)
    path = folder / "drawn.py"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(net.source)
    with warnings.catch_warnings(action="ignore"):
        _run_all(story, path, data, worker, onnx)
    unexpected = {*story.said} - net.may_be_said
    for kind in sorted(unexpected):
        story.faults.append(f"{kind}: said without need: {story.said[kind]}")
    return story


def _run_all(story: Story, path: Path, data: Path, worker: Worker | None, onnx: bool) -> None:
    dataset = load_data(str(data))
    store = RunStore(path.parent / "alone", create=True)
    jobs: tuple[Job, ...] = ()
    records: list[RunRecord] = []
    begun = False
    with story.refused("refused"):
        _as_a_new_process()
        study = plan([f"{path}:Net"], ["default"], 2, dataset=str(data), device="cpu", **SETTINGS)
        (jobs,) = study.entries()
        examined = examine(jobs[0], dataset)
        if worker is not None:
            worker.begin(jobs[1])
            begun = True
        store.save_study(study, "fashionbench compare")
        test, labels = (part.numpy() for part in (dataset.test.images, dataset.test.labels))
        store.save_test_set(TestSet(study.test_set, dataset.title, dataset.classes, test, labels))
        records = [run_job(job, dataset, CPU, store, examined) for job in jobs]
    in_process = worker.end(jobs[1]) if worker is not None and begun else None
    if len(records) < len(jobs) or not jobs:
        return
    for record in records:
        story.said.update(record.remarks)
    _look_at_the_start(story, jobs, dataset, records)
    if isinstance(in_process, str):
        story.faults.append(f"process: {in_process}")
    elif in_process is not None:
        story.compare("process", in_process.losses, records[1].losses)
    story.bent = cache(lambda: max(_bend(job, dataset, story.net.rounds) for job in jobs))
    # Dropout draws in the order in which memory lies.
    by_hand = _by_hand(jobs[0], dataset, laid_out=story.net.draws)
    story.compare("by hand", by_hand, records[0].losses)
    _stacked(story, jobs, dataset, records, path.parent / "stacked")
    checkpoints = [checkpoint_path(store.folder, job) for job in jobs]
    _resumed(story, jobs[0], path.parent / "resumed", checkpoints[0], path.parent / "last")
    for record, checkpoint in zip(records, checkpoints, strict=True):
        model = _loaded(story, record, checkpoint, dataset)
    if model is not None:
        _exported(story, checkpoints[1], model, dataset, "torch-export")
        if onnx:
            _exported(story, checkpoints[1], model, dataset, "onnx")


def _as_a_new_process() -> None:
    """Forget the files that were run, so that the next build runs them anew."""
    own_code._loaded.clear()
    own_code._neighbours.clear()


def _look_at_the_start(
    story: Story, jobs: tuple[Job, ...], dataset: Dataset, records: list[RunRecord]
) -> None:
    """Whether seeds that begin alike are known by that, and others are not."""
    one, two = (builder(job, dataset)(job.seed).state_dict().values() for job in jobs)
    alike = all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    known = records[0].first_weights == records[1].first_weights
    if known:
        story.said["same start"] = "all seeds begin with the same weights"
    # A layer may begin alike and the whole not: the row says what is said of its net alone.
    if alike != known and not UNSEEDED & {*story.said}:
        story.faults.append(f"start: alike is {alike}, and the records say {known}")


def _bend(job: Job, dataset: Dataset, rounds: bool) -> float:
    nudges = (0.0, 0.0, NUDGE)
    first, again, bent = (_by_hand(job, dataset, nudge, laid_out=True) for nudge in nudges)
    is_fixed = _difference(again, first) <= ROUNDING  # by its seed: else nothing is excused
    if not is_fixed:
        return 0.0
    other = _by_hand(job, dataset, laid_out=False) if rounds else first
    return max(_difference(bent, first), _difference(other, first))


def _by_hand(job: Job, dataset: Dataset, nudge: float = 0.0, *, laid_out: bool) -> NDArray[Any]:
    """(N,) losses after a textbook's training loop, from the same weights in the same order."""
    _as_a_new_process()
    model, recipe = builder(job, dataset)(job.seed), job.recipe
    if laid_out:
        lay_out(model, pixels(dataset.train.images[:FEW]))
    generator = torch.Generator().manual_seed(0)

    def nudged(tensor: Tensor, size: Tensor | float) -> Tensor:
        signs = torch.randint(2, tensor.shape, generator=generator) * 2 - 1
        return tensor + nudge * signs * size if nudge else tensor

    for parameter in model.parameters():
        parameter.data = nudged(parameter.data, parameter.data)
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.learning_rate)
    with reproducible(CPU):
        for epoch in range(recipe.epochs):
            seed_generators(CPU, derive_seed(job.seed, "dropout", epoch))
            model.train()
            for batch in epoch_batches(dataset.train, recipe, [job.seed], epoch):
                optimizer.zero_grad()
                images = nudged(batch.images, 1.0)
                F.cross_entropy(model(images).float(), batch.labels).backward()
                optimizer.step()
    return _losses(infer(model, dataset.test.images), dataset)


def _losses(logits: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """(N,) cross-entropies, by torch."""
    return F.cross_entropy(torch.tensor(logits), dataset.test.labels, reduction="none").numpy()


def _stacked(
    story: Story,
    jobs: tuple[Job, ...],
    dataset: Dataset,
    records: list[RunRecord],
    folder: Path,
) -> None:
    _as_a_new_process()
    reason = strategy.why_not_stackable(builder(jobs[0], dataset), dataset.train, jobs[0].recipe)
    if reason is not None:
        story.said["not stacked"] = reason
        return
    with story.refused("stacked"):
        store = RunStore(folder, create=True)
        for record, alone in zip(run_together(jobs, dataset, CPU, store), records, strict=True):
            story.said.update(record.remarks)
            if story.net.draws:
                story.compare_loosely("stacked", record, alone)
            else:
                story.compare("stacked", record.losses, alone.losses)


@contextmanager
def messages() -> Iterator[list[str]]:
    """What the package says by logging while this lasts."""
    heard, handler = list[str](), logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())
    logger = logging.getLogger("fashionbench")
    logger.addHandler(handler)
    try:
        yield heard
    finally:
        logger.removeHandler(handler)


def _resumed(story: Story, job: Job, folder: Path, whole: Path, second: Path) -> None:
    """Stopped after the first epoch, and gone on with by another process."""

    def stop(history: History) -> None:
        raise KeyboardInterrupt

    with messages() as heard, story.refused("not resumed"):
        _as_a_new_process()
        try:
            train_in_folder(job, folder, device="cpu", watch=stop)
            story.faults.append("resumed: was not stopped")
        except Interrupted:
            pass
        _as_a_new_process()
        train_in_folder(job, folder, device="cpu", resume=True)
        ours, theirs = load_file(folder / "model.safetensors"), load_file(whole)
        story.compare("resumed", _flat(ours), _flat(theirs))
        answers = load_facts(folder / "model.safetensors").answers
        story.said.update(("not loadable", said) for said in heard if "be loaded again" in said)
        if answers and "not loadable" not in story.said:
            images = load_data(job.dataset).train.images[: len(answers.logits)]
            _as_a_new_process()
            story.compare("resumed", answers.logits, infer(load_model(whole), images))
    told = any("cannot be resumed after a stop" in said for said in heard)
    if told != ("not resumed" in story.said):
        story.faults.append(f"resumed: told is {told}, refused is {not told}")


def _flat(tensors: dict[str, Tensor]) -> NDArray[Any]:
    parts = [tensors[name].double().flatten() for name in sorted(tensors)]
    return torch.cat(parts).numpy()


def _loaded(
    story: Story, record: RunRecord, checkpoint: Path, dataset: Dataset
) -> nn.Module | None:
    _as_a_new_process()
    model = None
    with story.refused("not loaded"):
        model = load_model(checkpoint)
        if "not loadable" in record.remarks:
            story.faults.append("loaded: the record says that it cannot be")
        logits = infer(model, dataset.test.images)
        story.compare("loaded", _losses(logits, dataset), record.losses, {"random"})
        margins = np.sort(logits, axis=1)[:, -1] - np.sort(logits, axis=1)[:, -2]
        sure = margins > 2 * ROUNDING * max(1.0, np.abs(logits).max())
        right = logits.argmax(axis=1)[sure] == record.predicted[sure]
        story.compare("predicted", right, np.ones_like(right), {"random"})
    if "not loaded" in story.said:
        if "not loadable" not in record.remarks:
            story.faults.append(f"loaded: not in the record: {story.said['not loaded']}")
        del story.said["not loaded"]
    return model


def _exported(story: Story, checkpoint: Path, model: nn.Module, dataset: Dataset, to: str) -> None:
    _as_a_new_process()
    out = checkpoint.parent.parent / f"exported{FORMATS[to].suffix}"
    kind = "not exported" if to == "torch-export" else "not in onnx"
    with story.refused(kind):
        export_model(checkpoint, to, out)
        if to == "torch-export":
            program = torch.export.load(out).module()
            answer = lambda images: program(images).detach().numpy()  # noqa: E731
        else:
            from onnxruntime import InferenceSession

            session = InferenceSession(str(out), providers=["CPUExecutionProvider"])
            answer = lambda images: session.run(["logits"], {"images": images.numpy()})[0]  # noqa: E731
        for count in (TEST_IMAGES, 7):
            images = dataset.test.images[:count]
            found = answer(pixels(images))
            story.compare("exported", found, infer(model, images), {"random", "batch"})


def main() -> None:
    """Tell the stories of many nets, and what is common to them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    said, faulty, amplified, quiet = Counter[str](), 0, 0, 0
    largest: dict[str, float] = {}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        data = small_data(root / "data")
        with Worker(root / "worker", data) as worker:
            numbers = range(arguments.first, arguments.first + arguments.nets)
            for number in tqdm(numbers, unit="net", mininterval=5):
                with tempfile.TemporaryDirectory(dir=root) as folder:
                    story = tell(draw_net(number), Path(folder), data, worker, number % 100 == 0)
                said.update([*story.said])
                quiet += not story.net.may_be_said
                faulty += bool(story.faults)
                amplified += bool(story.amplified)
                for way, difference in story.largest.items():
                    if difference <= ROUNDING:
                        largest[way] = max(difference, largest.get(way, 0.0))
                if arguments.nets < 10:
                    sys.stderr.write(f"{story.net}: {story.said}\n")
                for fault in story.faults:
                    tqdm.write(f"net {number} ({story.net}): {fault}", file=sys.stdout)
                sys.stdout.flush()
    seconds = time.perf_counter() - start
    write = sys.stdout.write
    write(f"{arguments.nets} nets in {seconds:.0f} s; {quiet} without a fault of their own\n")
    write(f"{faulty} with a silent difference or something said without need\n")
    write(f"{amplified} differ by more than {ROUNDING:g}, by rounding that they make large\n")
    write(f"said: {', '.join(f'{kind} {count}' for kind, count in said.most_common())}\n")
    shown = ", ".join(f"{way} {difference:.1g}" for way, difference in largest.items())
    write(f"largest differences that count as rounding: {shown}\n")


if __name__ == "__main__":
    main()
