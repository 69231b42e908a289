"""What do workers cost beside training, and does their work get done though they die?

Three questions, each of which writes its part of benchmarks/workers.json and prints a line:

overhead: a thousand runs of one epoch of V0 on the silhouettes, one run after another in two
processes: by workers that take blocks (`--parallel processes --jobs 2`, and `--on workers:2`), and
by an older build, in turn, A B C A B C. `--before` is the `src` of a checkout of commit fe4aac6,
whose processes wrote the store themselves; its recipe `default` was called `seed`.

intake: 10,000 run files with 10,000 predictions and weights of 32 KB each, taken into a store.

simulation: 100 workers and 100,000 runs on one real folder of claims, by a clock that jumps from
event to event; every minute a worker dies, and another begins. Runs of ten seconds come one by one,
or a block at a time from a stack that is four times as fast.

    python benchmarks/workers.py overhead --before OLD/src [--rounds 2] [--runs 1000]
    python benchmarks/workers.py intake [--runs 10000]
    python benchmarks/workers.py simulation [--workers 100] [--runs 100000]
"""

import argparse
import heapq
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fashionbench.config.recipe import load_recipe
from fashionbench.config.study import PROTOCOL, Job
from fashionbench.core.machine import processor
from fashionbench.experiments.cluster.claims import Claims, Holder
from fashionbench.experiments.cluster.inbox import Inbox, Intake
from fashionbench.experiments.cluster.plan import PATIENCE
from fashionbench.store.run_store import RunStore

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "workers.json"


def compare(source, runs, out, *more):
    """Run a comparison by the program at `source`, on two threads; return its seconds."""
    command = [sys.executable, "-m", "fashionbench", "compare", "--models", "v0", "--epochs", "1"]
    command += ["--dataset", "silhouettes", "--seeds", str(runs), "--device", "cpu", *more]
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "2"}
    start = time.perf_counter()
    subprocess.run(
        [*command, "--parallel", "processes", "--out", str(out)],
        env=environment,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - start


def overhead(arguments):
    """Time workers and the processes of an older build in turn."""
    ways = {
        "workers": (HERE.parent / "src", "--jobs", "2"),
        "on workers:2": (HERE.parent / "src", "--on", "workers:2"),
    }
    if arguments.before:
        ways["older build"] = (arguments.before.resolve(), "--jobs", "2")
    seconds = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            for way, (source, *more) in ways.items():
                out = Path(folder) / f"{number} {way}"
                seconds[way].append(compare(source, arguments.runs, out, *more))
                print(f"{way}: {seconds[way][-1]:.1f} s")
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    result = {"runs": arguments.runs, "seconds": seconds, "medians": medians}
    if arguments.before:
        result["ratio"] = {way: medians[way] / medians["older build"] for way in medians}
    return result


def put_runs(folder, count):
    """Put run files into an inbox, as from workers that trained on Fashion-MNIST."""
    from fashionbench.models.checkpoint import checkpoint_path  # brings torch, unlike the intake

    rng = np.random.default_rng(0)
    recipe = load_recipe("default")
    made = _record(rng, recipe)
    inbox = Inbox(folder)
    weights = rng.bytes(32_000)
    for seed in range(count):
        job = made.job.model_copy(update={"seed": seed})
        path = checkpoint_path(inbox.folder, job)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(weights + seed.to_bytes(4))
        path.with_suffix(".json").write_text("{}")
        inbox.save_run(_replace_job(made, job))


def _record(rng, recipe):
    from fashionbench.core.machine import describe_environment
    from fashionbench.stats.metrics import image_losses, score
    from fashionbench.store.records import RunRecord

    labels = np.repeat(np.arange(10), 1000)
    logits = rng.normal(size=(10_000, 10)) + 2 * np.eye(10)[labels]
    return RunRecord(
        job=Job(model="v0", recipe=recipe, seed=0, dataset="fashion-mnist", protocol=PROTOCOL),
        label="FashionMnistModelV0",
        device="cpu",
        outcome="ok",
        epochs=3,
        parameters=7960,
        flops_per_image=15880,
        train_seconds=None,
        other_seconds={"warm_up": 0.0, "validation": 0.0, "test": 0.1},
        curve=[(part / 20, 1.0 / part) for part in range(1, 61)],
        validation_curve=[],
        scores=score(logits, labels),
        dead_classes=[],
        environment=describe_environment({"torch": "2"}, 1, "cpu"),
        recorded_at="2026-01-01T00:00:00+00:00",
        best_epoch=None,
        predicted=logits.argmax(axis=1).astype(np.uint8),
        losses=image_losses(logits, labels).astype(np.float32),
    )


def _replace_job(record, job):
    from dataclasses import replace

    return replace(record, job=job)


def intake(arguments):
    """Take many run files in, in a process of its own; measure seconds and the peak of memory."""
    with tempfile.TemporaryDirectory() as folder:
        put_runs(Path(folder), arguments.runs)
        program = f"{__file__} _take {folder}"
        told = subprocess.run(
            [sys.executable, *program.split()], check=True, capture_output=True, text=True
        )
    return {"runs": arguments.runs} | json.loads(told.stdout)


def take(folder):
    """Take in what is in a folder; print what it took."""
    store = RunStore(folder, create=True)
    before = peak_memory()
    start = time.perf_counter()
    taken, _ = Intake(store).take()
    seconds = time.perf_counter() - start
    told = {"taken": len(taken), "seconds": seconds, "peak_mb": peak_memory()}
    print(json.dumps(told | {"before_mb": before}))


def peak_memory():
    """Return the peak of this process in MB; getrusage has that of the process which started it."""
    text = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmHWM:\s*(\d+) kB$", text, re.MULTILINE)[0]) / 1024


class Simulation:
    """Workers that take blocks by the program's own claims, at times that are events."""

    def __init__(self, folder, workers, runs, block, run_seconds, stacked):
        self.folder, self.block, self.run_seconds = folder, block, run_seconds
        self.seconds = block * run_seconds / (4 if stacked else 1)
        self.stacked = stacked
        self.left = {f"b{number}": block for number in range(-(-runs // block))}
        self.runs, self.trained, self.deaths, self.now = runs, 0, 0, 0.0
        self.events, self.at, self.alive = [], {}, set()
        self.names = iter(range(10**9))
        self.random = random.Random(0)
        random.seed(0)
        for _ in range(workers):
            self.begin()

    def begin(self):
        """Have a new worker look for work."""
        worker = next(self.names)
        self.alive.add(worker)
        heapq.heappush(self.events, (self.now, "look", worker))

    def look(self, worker):
        """Claim a block, or look again later."""
        if not self.left or worker not in self.alive:
            return
        claims = Claims(self.folder, PATIENCE, Holder("node", worker))
        claims.now = lambda: self.now
        claim = claims.take([*self.left])
        if claim is None:
            heapq.heappush(self.events, (self.now + 15, "look", worker))
            return
        lasts = self.seconds * self.left[claim.block] / self.block
        self.at[worker] = claim, self.now, self.now + lasts
        os.utime(claim.path, (self.now + lasts,) * 2)  # as if it beat until then
        heapq.heappush(self.events, (self.now + lasts, "done", worker))

    def done(self, worker):
        """Finish a block, unless the worker died."""
        if worker not in self.at:
            return
        claim, *_ = self.at.pop(worker)
        if self.left.get(claim.block):
            self.trained += self.left.pop(claim.block)
        claim.finish()
        heapq.heappush(self.events, (self.now, "look", worker))

    def die(self):
        """Kill any worker; what it had finished of its block is kept, and another begins."""
        worker = self.random.choice(sorted(self.alive))
        self.alive.remove(worker)
        self.deaths += 1
        self.begin()
        if worker not in self.at:
            return
        claim, start, _ = self.at.pop(worker)
        os.utime(claim.path, (self.now, self.now))
        share = (self.now - start) / self.seconds * self.block
        finished = 0 if self.stacked else int(share)
        self.left[claim.block] -= finished
        self.trained += share

    def run(self):
        """Go from event to event until nothing is left."""
        death = 60.0
        most = 5 * self.runs * self.seconds / self.block / len(self.alive)
        while self.events and self.left and self.now < most:
            moment, kind, worker = heapq.heappop(self.events)
            while death < moment:
                self.now, death = death, death + 60
                self.die()
            self.now = moment
            getattr(self, kind)(worker)
        return {
            "hours": self.now / 3600,
            "ideal_hours": self.runs * self.seconds / self.block / 3600,
            "workers_lost": self.deaths,
            "trainings_a_run": self.trained / self.runs,
            "blocks_left": len(self.left),
        }


def simulation(arguments):
    """Simulate both ways in which runs come."""
    found = {"workers": arguments.workers, "runs": arguments.runs}
    for way, stacked in (("one by one", False), ("stacked", True)):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            asked = Simulation(Path(folder), arguments.workers, arguments.runs, 60, 10.0, stacked)
            found[way] = asked.run()
            found[way]["ideal_hours"] /= arguments.workers
            print(f"{way}: {found[way]} in {time.perf_counter() - start:.0f} s")
    return found


QUESTIONS = {"overhead": overhead, "intake": intake, "simulation": simulation}


def main():
    """Answer one question and keep the answer beside those to the others."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("question", choices=[*QUESTIONS, "_take"])
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--workers", type=int, default=100)
    arguments = parser.parse_args()
    if arguments.question == "_take":
        take(arguments.folder)
        return
    usual = {"overhead": 1000, "intake": 10_000, "simulation": 100_000}
    arguments.runs = arguments.runs or usual[arguments.question]
    found = QUESTIONS[arguments.question](arguments)
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    where = {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    known[arguments.question] = where | found
    RESULTS.write_text(json.dumps(known, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
