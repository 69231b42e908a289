"""How often do 95 % intervals hold the true value: ours, and the usual ones?

Draws pairs of models with known accuracies: each of 1,000 test images has a chance of its
own to be called right, each seed shifts them all. The plain bootstrap draws seeds and
images with replacement and takes the 2.5 and 97.5 % quantiles. The intervals of one model's
accuracy are drawn for beside the plain t interval, ten times as often.

    python benchmarks/coverage.py [--count 1000]

Writes benchmarks/coverage.json.
"""

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import scipy

from fashionbench.stats.difference import difference
from fashionbench.stats.intervals import summarize, summarize_fractions

IMAGES, GAIN, DRAWS = 1000, 0.03, 500


def draw_runs(rng, seeds, seed_sd, gain=0.0):
    """(S, N) correctness."""
    chance = rng.beta(4, 1, IMAGES) * 0.9
    return rng.random((seeds, IMAGES)) < chance + rng.normal(gain, seed_sd, (seeds, 1))


def bootstrap(rng, a, b):
    """Return the plain two-way percentile interval."""
    seeds, images = a.shape
    image_weights = rng.multinomial(images, np.full(images, 1 / images), DRAWS) / images
    seed_weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), DRAWS) / seeds
    means = ((seed_weights @ (a.astype(float) - b)) * image_weights).sum(axis=1)
    return np.quantile(means, [0.025, 0.975])


def accuracy_kinds(rng):
    """Return the mean accuracy and who draws accuracies of so many shape, by the kind of model."""
    study = Path(__file__).parent.parent / "docs" / "results" / "v1-study.json"
    v1 = np.array(json.loads(study.read_text("utf-8"))["widths"][0]["v1"])
    return {
        "as V0": (0.83, lambda shape: rng.normal(0.83, 0.007, shape)),
        "scattered": (0.87, lambda shape: rng.normal(0.87, 0.03, shape)),
        "near 100 %": (0.995, lambda shape: rng.beta(398, 2, shape)),
        "as V1": (v1.mean(), lambda shape: rng.choice(v1, shape)),
    }


def accuracy_rows(count):
    """Return how often intervals of a mean accuracy hold it."""
    rows, rng = [], np.random.default_rng(0)
    for seeds in (2, 3, 5, 20):
        for kind, (mean, draw) in accuracy_kinds(rng).items():
            covered = np.zeros(2)
            for values in draw((count, seeds)):
                for column, found in enumerate((summarize_fractions(values), summarize(values))):
                    # Equal values have no interval, which covers nothing.
                    covered[column] += found.high is not None and found.low <= mean <= found.high
            ours, plain = (covered / count).tolist()
            rows.append({"seeds": seeds, "kind": kind, "ours": ours, "t_interval": plain})
            print(rows[-1], flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    count = parser.parse_args().count
    rows = []
    for seeds in (3, 5, 10, 20):
        for seed_sd in (0.0, 0.01, 0.03):
            rng = np.random.default_rng(0)
            ours = plain = 0
            for _ in range(count):
                a = draw_runs(rng, seeds, seed_sd, GAIN)
                b = draw_runs(rng, seeds, seed_sd)
                found = difference(a, b)
                ours += bool(found.low <= GAIN <= found.high)
                low, high = bootstrap(rng, a, b)
                plain += bool(low <= GAIN <= high)
            rows.append(
                {
                    "seeds": seeds,
                    "seed_sd": seed_sd,
                    "ours": ours / count,
                    "plain_bootstrap": plain / count,
                }
            )
            print(rows[-1], flush=True)
    document = {
        "command": f"python benchmarks/coverage.py --count {count}",
        "images": IMAGES,
        "count": count,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "rows": rows,
        "accuracy_count": 10 * count,
        "accuracy_rows": accuracy_rows(10 * count),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
