"""Do the kernels train V2 to the same accuracy as torch?

Twenty seeds each way by the seed recipe, scored on 5,000 validation images, and judged by the
program's own verdict. The test set is not looked at.

    python benchmarks/engines.py --data DIR [--seeds 20] [--model v2]

Writes benchmarks/engines.json and prints the verdict.
"""

import argparse
import json
import os
import platform
from pathlib import Path

import numpy as np
import torch

import fashionbench as fb
from fashionbench.core.machine import processor
from fashionbench.data.split import hold_out
from fashionbench.stats.difference import difference
from fashionbench.stats.verdict import decide
from fashionbench.training.evaluation import compute_logits
from fashionbench.training.kernels.compiler import SWITCH

HELD_OUT = 5000
SMALLEST_DIFFERENCE = 0.005


def train(switch, model_name, seeds, data, recipe):
    """Return for each seed which validation images are classified correctly."""
    os.environ[SWITCH] = switch
    _, validation = hold_out(data.train, HELD_OUT)
    rows = []
    for seed in range(seeds):
        model = fb.build_model(model_name, seed=seed)
        history = fb.fit(model, data.train, recipe, seed=seed)
        assert history.engine == ("kernels" if switch == "on" else "torch")
        predicted = compute_logits(model, validation.images).argmax(axis=1)
        rows.append(predicted == validation.labels.numpy())
        print(switch, seed, rows[-1].mean(), flush=True)
    return np.array(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the data root, as FASHIONBENCH_DATA")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--model", default="v2")
    options = parser.parse_args()
    data = fb.load_data(data_dir=options.data)
    recipe = fb.load_recipe("seed").override(train_images=60_000 - HELD_OUT)
    recipe = recipe.override(validation_images=HELD_OUT)
    right = {
        switch: train(switch, options.model, options.seeds, data, recipe)
        for switch in ("on", "off")
    }
    found = difference(right["on"], right["off"], pairs=1)
    verdict = decide(found, SMALLEST_DIFFERENCE, pairs=1)
    document = {
        "command": f"python benchmarks/engines.py --seeds {options.seeds} --model {options.model}",
        "processor": processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "accuracies": {switch: rows.mean(axis=1).tolist() for switch, rows in right.items()},
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "verdict": str(verdict),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(
        f"{100 * found.difference:+.2f} points ({100 * found.low:+.2f} to {100 * found.high:+.2f}):"
    )
    print(verdict)


if __name__ == "__main__":
    main()
