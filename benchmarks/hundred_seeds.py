"""How long do a hundred seeds take on a GPU, against one seed, and against one textbook loop?

    python benchmarks/hundred_seeds.py --data DIR [--seeds 100] [--models v0,v1,v2]

For each model in turn: the loop of against_loop.py; one run of ours, alone; and all seeds the way
that `--parallel auto` picks. Each of ours is clocked from the call to its last record, trials, test
and saving included, after one run that is not counted, in which CUDA and its libraries load.

Writes benchmarks/hundred_seeds.json. One GPU does all of it in about two minutes.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from statistics import fmean

import torch
from against_loop import run_loop, unpacked

import fashionbench as fb
from fashionbench.config.execution import Execution
from fashionbench.experiments import launch
from fashionbench.experiments.planning import plan
from fashionbench.experiments.run import run_job
from fashionbench.store.run_store import RunStore
from fashionbench.training.devices import describe_device, resolve_device


def run_one(name, data, device, folder):
    """Seconds of a whole run, and of its training alone."""
    (job,) = next(plan([name], ["default"], 1, dataset="fashion-mnist").entries())
    start = time.perf_counter()
    record = run_job(job, data, device, RunStore(folder, create=True))
    return time.perf_counter() - start, record.train_seconds


def run_all(name, data, device, folder, seeds):
    """Seconds of all seeds, the way they were run, and their mean accuracy."""
    jobs = next(plan([name], ["default"], seeds, dataset="fashion-mnist").entries())
    store, start = RunStore(folder, create=True), time.perf_counter()
    launch.is_to_be_timed = lambda *_: False  # so that all run together
    launch.run_missing([(0, jobs)], launch.Bench(data, None, device, store, Execution()))
    seconds = time.perf_counter() - start
    records = [store.load_run(job) for job in jobs]
    accuracy = fmean(record.scores.accuracy for record in records)
    return seconds, records[0].environment.way, accuracy


def measure(name, root, data, device, seeds):
    """Return what the page tells of one model."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        run_one(name, data, device, folder / "first")
        one, training = run_one(name, data, device, folder / "one")
        together, way, accuracy = run_all(name, data, device, folder / "all", seeds)
    torch.manual_seed(0)
    loop = run_loop(fb.build_model(name, seed=0), root, 3)
    return {
        "model": name,
        "seeds": seeds,
        "way": way,
        "mean_accuracy": round(accuracy, 4),
        "loop_seconds": round(loop, 2),
        "one_seconds": round(one, 2),
        "one_training_seconds": round(training, 2),
        "all_seconds": round(together, 2),
        "all_in_times_of_one": round(together / one, 1),
        "loop_in_times_of_a_seed": round(loop / (together / seeds), 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the data root, as FASHIONBENCH_DATA")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--models", default="v0,v1,v2")
    options = parser.parse_args()
    data, device, results = fb.load_data(data_dir=options.data), resolve_device("cuda"), []
    with tempfile.TemporaryDirectory() as folder:
        root = unpacked(options.data, folder)
        for name in options.models.split(","):
            results.append(measure(name, root, data, device, options.seeds))
            print(json.dumps(results[-1]), flush=True)
    document = {
        "command": f"python benchmarks/hundred_seeds.py --seeds {options.seeds} "
        f"--models {options.models}",
        "device": describe_device(device),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "rounds": 1,
        "all_seconds": round(sum(result["all_seconds"] for result in results), 1),
        "results": results,
    }
    print(f"all in {document['all_seconds']} s")
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
