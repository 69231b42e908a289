"""Do the kernels train V2 to the same accuracy as torch?

Twenty seeds each way by the default recipe, runs side by side in processes, scored on 5,000
validation images and judged by the program's own verdict. The test set is not looked at.

    python benchmarks/engines.py --data DIR [--seeds 20] [--model v2]

Writes benchmarks/engines.json and prints the verdict.
"""

import argparse
import json
import os
import platform
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

import fashionbench as fb
from fashionbench.core.machine import processor
from fashionbench.data.split import hold_out
from fashionbench.stats.difference import difference
from fashionbench.stats.metrics import classify
from fashionbench.stats.verdict import decide
from fashionbench.training.evaluation import compute_logits
from fashionbench.training.kernels.compiler import SWITCH

HELD_OUT = 5000
SMALLEST_DIFFERENCE = 0.005


def train_one(switch, model_name, seed, *, root):
    """Return which validation images a run classifies correctly; in a process of its own."""
    torch.set_num_threads(1)
    os.environ[SWITCH] = switch
    data = fb.load_data(data_dir=root)
    recipe = fb.load_recipe("default").override(
        validation_images=HELD_OUT, train_images=60_000 - HELD_OUT
    )
    model = fb.build_model(model_name, seed=seed)
    history = fb.fit(model, data.train, recipe, seed=seed)
    assert history.engine == ("kernels" if switch == "on" else "torch")
    _, validation = hold_out(data.train, HELD_OUT)
    return classify(compute_logits(model, validation.images)) == validation.labels.numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the data root, as FASHIONBENCH_DATA")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--model", default="v2")
    options = parser.parse_args()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        right = {
            switch: np.array(
                [
                    *pool.map(
                        partial(train_one, switch, options.model, root=options.data),
                        range(options.seeds),
                    )
                ]
            )
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
