"""How many times faster than torchvision's transforms, image by image, is `augment`?

Both flip, shift, rotate and erase the training images once, in a random order, and end with
float32 batches of 32 that a training step could take. torchvision.transforms.v2 works in a
DataLoader, as tutorials have it, without and with two worker processes; ours in chunks of
1,000 images. Every measurement is a fresh process, and the programs take turns, so that a
drift of the machine's speed hits all of them. Clocked is one epoch after a warm-up;
starting the workers counts, because every epoch does it.

    python benchmarks/augmentation.py --data DIR [--rounds 5] [--images 12000]

Writes benchmarks/augmentation.json and prints the medians and ratios.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from fashionbench.core.machine import processor

CHAIN = (("flip", 0.5), ("shift", 2.0), ("rotate", 10.0), ("erase", 0.5))
PROGRAMS = ("augment", "dataloader-0", "dataloader-2")
BATCH, CHUNK = 32, 1000


def run_augment(images):
    """Ours: one epoch."""
    import torch

    from fashionbench.training.augment import augment, draw

    order = torch.randperm(len(images))
    u = draw(CHAIN, len(images), seed=0, epoch=1).index_select(0, order)
    for positions, numbers in zip(order.split(CHUNK), u.split(CHUNK), strict=True):
        chunk = images.index_select(0, positions)[:, None].float() / 255
        for batch in augment(chunk, numbers, CHAIN).split(BATCH):
            assert batch.dtype == torch.float32


class PerImage:
    """A data set of uint8 images that transforms each when it is asked for; goes to workers."""

    def __init__(self, images):
        import torch
        from torchvision.transforms import InterpolationMode, v2

        self.images = images
        self.transform = v2.Compose(
            [
                v2.ToDtype(torch.float32, scale=True),
                v2.RandomHorizontalFlip(0.5),
                v2.RandomCrop(28, padding=2),
                v2.RandomRotation(10, interpolation=InterpolationMode.BILINEAR),
                v2.RandomErasing(0.5, scale=(0.02, 0.4), value="random"),
            ]
        )

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(self.images[index][None])


def run_dataloader(images, workers):
    """torchvision's: one epoch."""
    import torch
    from torch.utils.data import DataLoader

    for batch in DataLoader(PerImage(images), BATCH, shuffle=True, num_workers=workers):
        assert batch.dtype == torch.float32


def measure(program, images):
    """In a fresh process: images a second."""
    import torch
    import torchvision

    from fashionbench.training.devices import retain_freed_memory

    retain_freed_memory()  # as `fit` does

    def run(images):
        if program == "augment":
            run_augment(images)
        else:
            run_dataloader(images, int(program.removeprefix("dataloader-")))

    run(images[:CHUNK])
    start = time.perf_counter()
    run(images)
    facts = {
        "images_per_second": len(images) / (time.perf_counter() - start),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }
    print(json.dumps(facts))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the data root, as FASHIONBENCH_DATA")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=12_000, help="images in an epoch")
    parser.add_argument("--child", metavar="PROGRAM", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        import fashionbench as fb

        measure(options.child, fb.load_data(data_dir=options.data).train.images[: options.images])
        return
    runs = {program: [] for program in PROGRAMS}
    for _ in range(options.rounds):
        for program in PROGRAMS:
            command = [sys.executable, __file__, "--data", options.data]
            command += ["--images", str(options.images), "--child", program]
            output = subprocess.run(command, check=True, capture_output=True, text=True)
            runs[program].append(json.loads(output.stdout))
    document = {
        "command": f"python benchmarks/augmentation.py --rounds {options.rounds} "
        f"--images {options.images}",
        "processor": processor(),
        "python": platform.python_version(),
        "chain": [f"{name}:{strength:g}" for name, strength in CHAIN],
        "summary": summarize(runs),
        "runs": runs,
    }
    print(json.dumps(document["summary"], indent=2))
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def summarize(runs):
    """Medians, and how many times as fast as each DataLoader ours is, from rounds as pairs."""
    speeds = {
        program: [run["images_per_second"] for run in measured]
        for program, measured in runs.items()
    }
    summary = {"n": len(speeds["augment"]), "images_per_second": {}, "times_as_fast_as": {}}
    for program, measured in speeds.items():
        summary["images_per_second"][program] = round(statistics.median(measured))
        if program != "augment":
            ratios = [a / b for a, b in zip(speeds["augment"], measured, strict=True)]
            summary["times_as_fast_as"][program] = {
                "median": round(statistics.median(ratios), 1),
                "low": round(min(ratios), 1),
                "high": round(max(ratios), 1),
            }
    return summary


if __name__ == "__main__":
    main()
