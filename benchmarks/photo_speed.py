"""How many photos a second does `predict` classify, and where does the time of one go?

    python benchmarks/photo_speed.py PHOTOS

PHOTOS is a folder. First photos go through the steps of `predict` one after another on one thread:
read, prepared (of which the network that finds the item is a part), classified. Then the whole
command runs over the folder on all cores, also over the same photos as HEIC, which takes longer to
read. Prints medians and writes benchmarks/photo_speed.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from pillow_heif import register_heif_opener

from fashionbench.core.machine import processor
from fashionbench.data.picture_files import find_pictures
from fashionbench.data.picture_reading import load_picture
from fashionbench.inference.photos import prepare
from fashionbench.inference.predictor import load_predictor
from fashionbench.inference.salient import find_salient

ALONE = 40
"""Photos whose steps are timed."""


def timed(function, *arguments):
    start = time.perf_counter()
    found = function(*arguments)
    return time.perf_counter() - start, found


def time_steps(files):
    """Return the medians over photos, in seconds on one thread, of each step."""
    predictor = load_predictor("photo")
    steps = {"read": [], "prepare": [], "network": [], "classify": []}
    for number, file in enumerate(files[: ALONE + 1]):
        read, picture = timed(load_picture, file)
        prepared, result = timed(prepare, picture)
        classified, _ = timed(predictor.judge, result)
        small = torch.randint(0, 255, (224, 224, 3), dtype=torch.uint8).numpy()
        network, _ = timed(find_salient, small, (160, 160))
        if number:  # the first warms up
            for name, seconds in zip(steps, (read, prepared, network, classified), strict=True):
                steps[name].append(seconds)
    return {name: round(median(seconds), 4) for name, seconds in steps.items()}


def time_command(folder, count):
    """Return photos a second of the whole command, without its start, which one photo tells."""
    command = [sys.executable, "-m", "fashionbench", "predict", "--jsonl"]
    one = next(iter(find_pictures(folder)[0]))
    begin, _ = timed(lambda: subprocess.run([*command, one], check=True, capture_output=True))
    whole, _ = timed(lambda: subprocess.run([*command, folder], check=True, capture_output=True))
    return round((count - 1) / (whole - begin), 2)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    folder = parser.parse_args().photos
    files, _ = find_pictures(folder)
    torch.set_num_threads(1)
    steps = time_steps(files)
    print("seconds a photo on one thread:", steps)
    rates = {"as they are": time_command(folder, len(files))}
    register_heif_opener()
    with tempfile.TemporaryDirectory() as place:
        for number, file in enumerate(files[:ALONE]):
            load_picture(file).resize((3024, 4032)).save(Path(place) / f"{number}.heic", quality=60)
        rates["HEIC of 12 megapixels"] = time_command(Path(place), len(files[:ALONE]))
    print("photos a second on all cores:", rates)
    document = {
        "command": "python benchmarks/photo_speed.py PHOTOS",
        "photos": len(files),
        "cores": os.cpu_count(),
        "processor": processor(),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "seconds_on_one_thread": steps,
        "photos_a_second": rates,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
