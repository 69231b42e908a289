"""How many times faster than a textbook loop is `fit`, at the same recipe and accuracy?

Each measurement is a fresh process that trains one model from one seed; the programs
take turns, A B C A B C, so that a drift of the machine's speed hits all of them: the
textbook loop, `fit` with the kernels switched off, and `fit`.
The textbook loop is the one that tutorials write: torchvision data set,
ToTensor, DataLoader, eager steps. Clocked is what each does per run once its
program is loaded: for the loop its epochs, for `fit` the whole call, so that
warm-up and set-up count against it.

    python benchmarks/against_loop.py --data DIR [--rounds 3] [--epochs 3] [--models v0,v1,v2]

Writes benchmarks/against_loop.json and prints a table of medians and ratios.
"""

import argparse
import gzip
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fashionbench.core.machine import processor

PROGRAMS = ("loop", "torch", "fit")


def run_loop(model, root, epochs):
    """Train as the textbook does; return the seconds."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision.datasets import FashionMNIST
    from torchvision.transforms import ToTensor

    loader = DataLoader(FashionMNIST(root, transform=ToTensor()), batch_size=32, shuffle=True)
    loss_function = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).train()
    start = time.perf_counter()
    for _ in range(epochs):
        for images, labels in loader:
            loss = loss_function(model(images.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def run_fit(model, data, epochs):
    """Ours: returns seconds."""
    import torch

    import fashionbench as fb

    fit, recipe = (
        fb.fit,
        fb.load_recipe("default").override(epochs=epochs),
    )  # fb loads what is named
    # torch imports half its compiler with the first optimizer; the loop has it before its clock.
    torch.optim.SGD(model.parameters(), lr=0.1)
    start = time.perf_counter()
    fit(model, data.train, recipe, seed=0)
    return time.perf_counter() - start


def measure(program, name, root, epochs):
    """One fresh process: seconds of training and the test accuracy reached."""
    import torch

    import fashionbench as fb

    torch.manual_seed(0)
    data = fb.load_data(data_dir=root)
    model = fb.build_model(name, seed=0)
    seconds = run_loop(model, root, epochs) if program == "loop" else run_fit(model, data, epochs)
    device = next(model.parameters()).device.type
    facts = {
        "seconds": seconds,
        "accuracy": fb.evaluate(model, data.test).accuracy,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    print(json.dumps(facts))


def unpacked(root, folder):
    """Copy the data, with the unpacked files that torchvision insists on."""
    raw = Path(folder) / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in (Path(root) / "FashionMNIST" / "raw").glob("*.gz"):
        shutil.copy(archive, raw)
        (raw / archive.stem).write_bytes(gzip.decompress(archive.read_bytes()))
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the data root, as FASHIONBENCH_DATA")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--models", default="v0,v1,v2")
    parser.add_argument("--child", nargs=2, metavar=("PROGRAM", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure(*options.child, options.data, options.epochs)
        return
    results = []
    with tempfile.TemporaryDirectory() as folder:
        root = unpacked(options.data, folder)
        for name in options.models.split(","):
            runs = {program: [] for program in PROGRAMS}
            for _ in range(options.rounds):
                for program in PROGRAMS:
                    command = [sys.executable, __file__, "--data", root]
                    command += ["--epochs", str(options.epochs), "--child", program, name]
                    switch = {"FASHIONBENCH_KERNELS": "off" if program == "torch" else "on"}
                    output = subprocess.run(
                        command,
                        check=True,
                        capture_output=True,
                        text=True,
                        env=os.environ | switch,
                    )
                    runs[program].append(json.loads(output.stdout))
            results.append(summarize(name, runs))
            print(json.dumps(results[-1]["summary"]), flush=True)
    document = {
        "command": f"python benchmarks/against_loop.py --rounds {options.rounds} "
        f"--epochs {options.epochs} --models {options.models}",
        "processor": processor(),
        "python": platform.python_version(),
        "results": results,
    }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def summarize(name, runs):
    seconds = {program: [run["seconds"] for run in runs[program]] for program in PROGRAMS}
    ratios = [loop / fit for loop, fit in zip(seconds["loop"], seconds["fit"], strict=True)]
    summary = {
        "model": name,
        "n": len(ratios),
        "loop_seconds": round(statistics.median(seconds["loop"]), 2),
        "torch_seconds": round(statistics.median(seconds["torch"]), 2),
        "fit_seconds": round(statistics.median(seconds["fit"]), 2),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_low": round(min(ratios), 2),
        "ratio_high": round(max(ratios), 2),
        "ratio_to_torch": round(
            statistics.median(
                torch / fit for torch, fit in zip(seconds["torch"], seconds["fit"], strict=True)
            ),
            2,
        ),
    }
    return {"summary": summary, "runs": runs}


if __name__ == "__main__":
    main()
