"""How much of the processor does a step of V2 use, and of how much memory?

The peak is what a loop of independent multiply-adds reaches on the same number of threads, with
vectors as wide as the kernels'. A step's operations are counted: two for each multiply-add of its
convolutions and its matrix, forward and in both gradients. The two are measured in turn.

    python benchmarks/kernels.py [--rounds 5] [--threads 2] [--model v2]

Writes benchmarks/kernels.json and prints medians.
"""

import argparse
import ctypes
import json
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import torch

from fashionbench.core.machine import processor
from fashionbench.models.build import build_model
from fashionbench.training.batch import Batch
from fashionbench.training.kernels import compiler
from fashionbench.training.kernels.engine import Engine
from fashionbench.training.kernels.layers import CONVOLUTION, MEAN, find_layers

BATCH, STEPS = 32, 300
LONG = 500_000_000
"""Turns of the loop: a second, so that a new thread has moved to a processor of its own."""
PEAK = r"""
#include <pthread.h>
#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
typedef float Vector __attribute__((vector_size(4 * LANES)));
static void *multiply(void *given) {
  long steps = *(long *)given;
  Vector a = (Vector){} + 0.999f, b = (Vector){} + 1e-3f, s[12];
  for (int i = 0; i < 12; i++) s[i] = (Vector){} + (float)i;
  for (long n = 0; n < steps; n++) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) s[i] = s[i] * a + b;
  }
  Vector sum = {};
  for (int i = 0; i < 12; i++) sum += s[i];
  static _Thread_local volatile float out;
  out = sum[0];
  return 0;
}
double peak(int threads, long steps) { /* operations done */
  pthread_t other[64];
  for (int t = 1; t < threads; t++) pthread_create(other + t, 0, multiply, &steps);
  multiply(&steps);
  for (int t = 1; t < threads; t++) pthread_join(other[t], 0);
  return 2.0 * LANES * 12 * steps * threads;
}
"""


def build_peak(folder):
    """Compile the loop of multiply-adds with the kernels' flags."""
    source, library = Path(folder) / "peak.c", Path(folder) / "peak.so"
    source.write_text(PEAK)
    command = [*compiler._compiler(), *compiler.FLAGS, compiler.FOR_THIS_PROCESSOR[0]]
    subprocess.run([*command, str(source), "-o", str(library), "-lpthread"], check=True)
    peak = ctypes.CDLL(str(library)).peak
    peak.argtypes, peak.restype = [ctypes.c_int, ctypes.c_long], ctypes.c_double
    return peak


def operations(layers):
    """Count those of a step: forward, gradients by weights, and by inputs but for the first."""
    total = 0
    for index, layer in enumerate(layers):
        if layer.kind == MEAN:
            continue
        places = 1
        if layer.kind == CONVOLUTION:
            rows, columns = (
                (side + 2 * layer.padding - layer.kernel) // layer.stride + 1
                for side in (layer.height, layer.width)
            )
            places = rows * columns
        products = layer.inputs * layer.outputs * layer.kernel**2 * places
        total += 2 * BATCH * products * (3 if index else 2)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--model", default="v2")
    options = parser.parse_args()
    torch.set_num_threads(1)  # torch's threads would wait beside the kernels'
    model = build_model(options.model, seed=0)
    layers = find_layers(model, 28, 28)
    library = compiler.load_library()
    engine = Engine(library, layers, threads=options.threads, images=BATCH)
    batch = Batch(torch.rand(BATCH, 1, 28, 28), torch.randint(10, (BATCH,)))
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        peak = build_peak(folder)
        for _ in range(options.rounds):
            start = time.perf_counter()
            done = peak(options.threads, LONG)
            reached = done / (time.perf_counter() - start)
            times = []
            for _ in range(STEPS):
                start = time.perf_counter()
                engine.differentiate(batch)
                times.append(time.perf_counter() - start)
            step = statistics.median(times)
            rounds.append({"peak": reached, "step_seconds": step})
            rounds[-1]["share"] = operations(layers) / step / reached
    document = {
        "command": f"python benchmarks/kernels.py --rounds {options.rounds} "
        f"--threads {options.threads} --model {options.model}",
        "processor": processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lanes": library.team_lanes(),
        "operations_a_step": operations(layers),
        "rounds": rounds,
        "summary": {
            key: statistics.median(each[key] for each in rounds)
            for key in ("peak", "step_seconds", "share")
        },
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(json.dumps(document["summary"]))


if __name__ == "__main__":
    main()
