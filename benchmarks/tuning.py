"""How much longer does a comparison take if the learning rate of every model is tuned first?

`fashionbench compare --models v0,mlp --seeds 3` as it is, and the same with `--tune lr --trials
15`: a fresh process and a fresh run folder each, in turn, A B A B, clocked from start to end, so
that loading libraries and data and writing the report count on both sides.

    python benchmarks/tuning.py --data DIR [--rounds 3] [--models v0,mlp] [--trials 15]

Writes benchmarks/tuning.json and prints medians and their ratio.
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

from fashionbench.core.machine import processor

SEEDS = 3


def measure(root, models, extra):
    """Wall clock and trials of one comparison in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        asked = ["--models", models, "--seeds", str(SEEDS), "--data", root, "--out", folder]
        command = [sys.executable, "-m", "fashionbench", "compare", *asked, *extra, "--json"]
        start = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - start
    document = json.loads(done.stdout)
    tuning = document.get("tuning") or {"entries": []}
    return {
        "seconds": seconds,
        "trials": [entry["runs"] for entry in tuning["entries"]],
        "trial_seconds": [entry["seconds"] for entry in tuning["entries"]],
        "runs": sum(len(entry["runs"]) for entry in document["entries"]),
        "threads": document["threads"],
        "torch": document["versions"]["torch"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default="v0,mlp")
    parser.add_argument("--trials", type=int, default=15)
    flags = parser.parse_args()
    ways = {"as it is": [], "tuned": ["--tune", "lr", "--trials", str(flags.trials)]}
    runs = {way: [] for way in ways}
    for _ in range(flags.rounds):
        for way, extra in ways.items():
            runs[way].append(measure(flags.data, flags.models, extra))
            print(way, f"{runs[way][-1]['seconds']:.1f} s", flush=True)
    medians = {
        way: statistics.median(run["seconds"] for run in found) for way, found in runs.items()
    }
    summary = {
        "models": flags.models,
        "seeds": SEEDS,
        "trials": flags.trials,
        "rounds": flags.rounds,
        "seconds": round(medians["as it is"], 2),
        "tuned_seconds": round(medians["tuned"], 2),
        "ratio": round(medians["tuned"] / medians["as it is"], 2),
    }
    print(json.dumps(summary))
    record = {
        "command": f"python benchmarks/tuning.py --rounds {flags.rounds} --models {flags.models} "
        f"--trials {flags.trials}",
        "processor": processor(),
        "python": platform.python_version(),
        "summary": summary,
        "runs": runs,
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
