"""How often do 95 % intervals hold the true difference: ours, and the plain two-way bootstrap?

Draws pairs of models with known accuracies: each of 1,000 test images has a chance of its
own to be called right, each seed shifts them all. The plain bootstrap draws seeds and
images with replacement and takes the 2.5 and 97.5 % quantiles.

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
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
