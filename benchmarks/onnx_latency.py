"""How long does one answer take: ONNX Runtime against PyTorch, eager, on the CPU?

The model of a checkpoint (or the best of a run folder) is exported to ONNX, with its
preprocessing; both programs get the same uint8 images and the same number of threads.
At each batch size they take turns, A B A B; a measurement is the median of many calls
in a row after a warm-up, and the ratio is that of two measurements of one turn.

    python benchmarks/onnx_latency.py RUN_OR_CHECKPOINT [--rounds 5] [--threads 1]

Writes benchmarks/onnx_latency.json and prints a line a batch size.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from fashionbench.core.logits import pixels
from fashionbench.core.machine import processor
from fashionbench.inference.export import export_model
from fashionbench.inference.predictor import load_predictor

BATCHES = (1, 32, 1000)
SECONDS = 1.0
"""Of calls in a row, for one measurement."""


def median_seconds(call, images):
    for _ in range(10):
        call(images)
    taken, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(taken) < 5:
        start = time.perf_counter()
        call(images)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def build_eager(model):
    def call(images):
        with torch.inference_mode():
            return model(pixels(torch.from_numpy(images))).numpy()

    return call


def build_onnx(where, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        made = export_model(where, out=Path(folder) / "model.onnx", with_preprocessing=True)
        session = onnxruntime.InferenceSession(
            made.path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    return lambda images: session.run(["logits"], {"images": images})[0]


def measure(programs, batch, rounds):
    images = np.random.default_rng(0).integers(0, 256, (batch, 28, 28), np.uint8)
    runs = {name: [] for name in programs}
    for _ in range(rounds):
        for name, call in programs.items():
            runs[name].append(median_seconds(call, images))
    ratios = [a / b for a, b in zip(runs["eager"], runs["onnx"], strict=True)]
    return {
        "batch": batch,
        "n": rounds,
        "eager_milliseconds": round(1000 * statistics.median(runs["eager"]), 4),
        "onnx_milliseconds": round(1000 * statistics.median(runs["onnx"]), 4),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_low": round(min(ratios), 2),
        "ratio_high": round(max(ratios), 2),
        "runs": runs,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("where", type=Path, help="a .safetensors file or a run folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    predictor = load_predictor(options.where)
    programs = {
        "eager": build_eager(predictor.model),
        "onnx": build_onnx(predictor.path, options.threads),
    }
    results = []
    for batch in BATCHES:
        results.append(measure(programs, batch, options.rounds))
        print(json.dumps({key: results[-1][key] for key in results[-1] if key != "runs"}))
    document = {
        "command": f"python benchmarks/onnx_latency.py {options.where} "
        f"--rounds {options.rounds} --threads {options.threads}",
        "model": predictor.label,
        "processor": processor(),
        "threads": options.threads,
        "versions": {
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "results": results,
    }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
