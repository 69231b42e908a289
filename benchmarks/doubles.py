"""How fast is the search for doubles? Against scikit-learn's brute-force neighbours, in turn.

Ours finds all pairs of the 70,000 images of Fashion-MNIST within 16 grey levels, each compared in
50 ways: moved by up to two pixels in each direction, mirrored or not. scikit-learn's
NearestNeighbors finds the nearest other image of each, as they are, in one way. Every measurement
is a fresh process, and the programs take turns. Clocked is the search alone, after the images are
in memory; the peak of memory is that of the whole process.

    python benchmarks/doubles.py --data DIR [--rounds 3] [--images 70000]

Writes benchmarks/doubles.json and prints the medians.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from fashionbench.core.machine import processor

PROGRAMS = ("fashionbench", "scikit-learn")


def search_ours(images):
    """Search for all near-doubles."""
    import torch

    from fashionbench.experiments.audit.doubles import find_doubles

    pixels = torch.from_numpy(images)
    start = time.perf_counter()
    found = find_doubles(pixels)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "found": len(found),
        "threads": torch.get_num_threads(),
        "version": torch.__version__,
    }


def search_sklearn(images):
    """Search for the nearest other image of each."""
    import sklearn
    from sklearn.neighbors import NearestNeighbors

    flat = images.reshape(len(images), -1).astype("float32")
    start = time.perf_counter()
    NearestNeighbors(n_neighbors=1, algorithm="brute").fit(flat).kneighbors()
    return {"seconds": time.perf_counter() - start, "version": sklearn.__version__}


def measure(program, data, count):
    """Print seconds and the peak of memory, in a fresh process."""
    import numpy as np

    from fashionbench.data.datasets import load_arrays

    (train, _), (test, _) = load_arrays("fashion-mnist", data)
    images = np.concatenate([train, test])[:count]
    del train, test
    search = search_ours if program == "fashionbench" else search_sklearn
    facts = search(images)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux tells kilobytes
    print(json.dumps(facts | {"peak_megabytes": round(peak)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the data root, as FASHIONBENCH_DATA")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=70_000)
    parser.add_argument("--child", metavar="PROGRAM", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure(options.child, options.data, options.images)
        return
    runs = {program: [] for program in PROGRAMS}
    for _ in range(options.rounds):
        for program in PROGRAMS:
            command = [sys.executable, __file__, "--data", options.data]
            command += ["--images", str(options.images), "--child", program]
            output = subprocess.run(command, check=True, capture_output=True, text=True)
            runs[program].append(json.loads(output.stdout))
    seconds = {program: [run["seconds"] for run in runs[program]] for program in PROGRAMS}
    ratios = [b / a for a, b in zip(*seconds.values(), strict=True)]
    document = {
        "command": f"python benchmarks/doubles.py --rounds {options.rounds} "
        f"--images {options.images}",
        "processor": processor(),
        "python": platform.python_version(),
        "images": options.images,
        "summary": {
            "rounds": options.rounds,
            "seconds": {name: round(statistics.median(of), 1) for name, of in seconds.items()},
            "times_as_fast": {
                "median": round(statistics.median(ratios), 1),
                "low": round(min(ratios), 1),
                "high": round(max(ratios), 1),
            },
            "peak_megabytes": {
                name: max(run["peak_megabytes"] for run in of) for name, of in runs.items()
            },
        },
        "runs": runs,
    }
    print(json.dumps(document["summary"], indent=2))
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
