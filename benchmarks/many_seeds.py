"""What does one of many seeds cost, against one run of the textbook loop?

The loop is that of against_loop.py; ours trains --seeds members of a model the way that
`--parallel auto` picks (stacked, or in processes), nothing timed alone. Each measurement is a
fresh process; the programs take turns, A B A B. Ours is clocked from the call to the last
record, so that starting processes, testing and saving count against it. With --comparison,
`fashionbench compare` as it is by default is held against the sum of the models' loops.

    python benchmarks/many_seeds.py --data DIR [--seeds 16,16,4] [--rounds 3]
                                    [--models v0,v1,v2] [--comparison]

Writes benchmarks/many_seeds.json and prints medians and ratios. Runs on CUDA where there
is one: --seeds 100 is the question there.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from against_loop import run_loop, unpacked

from fashionbench.core.machine import processor

PROGRAMS = ("loop", "many")


def run_many(name, root, seeds):
    """Seconds for all seeds, and the way they were run."""
    import torch

    import fashionbench as fb
    from fashionbench.config.execution import Execution
    from fashionbench.experiments import launch
    from fashionbench.experiments.planning import plan
    from fashionbench.store.run_store import RunStore
    from fashionbench.training.devices import resolve_device

    data, device = fb.load_data(data_dir=root), resolve_device("auto")
    torch.optim.SGD([torch.zeros(1)], lr=0.1)  # brings torch's own late imports before the clock
    jobs = next(plan([name], ["default"], seeds, dataset="fashion-mnist").entries())
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder), create=True)
        start = time.perf_counter()
        launch.is_to_be_timed = lambda *_: False  # so that all run together
        launch.run_missing([(0, jobs)], launch.Bench(data, root, device, store, Execution()))
        seconds = time.perf_counter() - start
        records = [store.load_run(job) for job in jobs]
    return seconds, {
        "way": records[0].environment.way,
        "accuracy": statistics.mean(record.scores.accuracy for record in records),
        "device": records[0].environment.device,
    }


def measure(program, name, root, seeds):
    """One fresh process."""
    import torch

    import fashionbench as fb

    if program == "loop":
        torch.manual_seed(0)
        facts = {"seconds": run_loop(fb.build_model(name, seed=0), root, 3)}
    else:
        seconds, facts = run_many(name, root, seeds)
        facts |= {"seconds": seconds}
    print(json.dumps(facts | {"threads": torch.get_num_threads(), "torch": torch.__version__}))


def run_child(root, seeds, program, name):
    """Return what a fresh process measures."""
    command = [sys.executable, __file__, "--data", root, "--seeds", str(seeds)]
    output = subprocess.run(
        [*command, "--child", program, name], check=True, capture_output=True, text=True
    )
    return json.loads(output.stdout)


def run_comparison(root):
    """Seconds that a person waits for `fashionbench compare`: three models, five seeds, report."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fashionbench", "compare", "--data", root]
        start = time.perf_counter()
        subprocess.run([*command, "--out", f"{folder}/runs"], check=True, capture_output=True)
        return time.perf_counter() - start


def summarize(name, runs, seeds):
    loop, many = (
        statistics.median(run["seconds"] for run in runs[program]) for program in PROGRAMS
    )
    return {
        "model": name,
        "rounds": len(runs["loop"]),
        "seeds": seeds,
        "way": runs["many"][0]["way"],
        "loop_seconds": round(loop, 2),
        "seconds_a_seed": round(many / seeds, 3),
        "ratio": round(loop / (many / seeds), 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the data root, as FASHIONBENCH_DATA")
    parser.add_argument("--seeds", default="16,16,4", help="for each model, or one for all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default="v0,v1,v2")
    parser.add_argument("--comparison", action="store_true", help="`fashionbench compare` as well")
    parser.add_argument("--child", nargs=2, metavar=("PROGRAM", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure(*options.child, options.data, int(options.seeds))
        return
    models, counts = options.models.split(","), [*map(int, options.seeds.split(","))]
    seeds = dict(zip(models, counts * len(models), strict=False))
    runs, comparisons = {name: {program: [] for program in PROGRAMS} for name in models}, []
    with tempfile.TemporaryDirectory() as folder:
        root = unpacked(options.data, folder)
        for _ in range(options.rounds):
            for name in models:
                for program in PROGRAMS:
                    runs[name][program].append(run_child(root, seeds[name], program, name))
                    print(name, program, runs[name][program][-1], flush=True)
            if options.comparison:
                comparisons.append(run_comparison(root))
                print("comparison", comparisons[-1], flush=True)
    results = [
        {"summary": summarize(name, runs[name], seeds[name]), "runs": runs[name]} for name in models
    ]
    document = {
        "command": f"python benchmarks/many_seeds.py --seeds {options.seeds} --rounds "
        f"{options.rounds} --models {options.models}" + " --comparison" * options.comparison,
        "processor": processor(),
        "python": platform.python_version(),
        "results": results,
    }
    if comparisons:
        loops = sum(result["summary"]["loop_seconds"] for result in results)
        seconds = statistics.median(comparisons)
        document["comparison"] = {
            "seconds": [round(value, 1) for value in comparisons],
            "loop_seconds": round(loops, 1),
            "times_the_loops": round(seconds / loops, 2),
        }
        print(json.dumps(document["comparison"]))
    for result in results:
        print(json.dumps(result["summary"]))
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
