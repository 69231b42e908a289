"""How much of what is planted does an audit find? Doubles and wrong labels, 2 % of 5,000 images.

From the training images of Fashion-MNIST 4,000 are drawn for training and 1,000 for testing. In
place of 100 test images stand doubles of training images: 25 exact, 25 mirrored, 25 moved by up to
two pixels and 25 moved with noise (sd 4 grey levels). Then 100 training images get another label,
drawn by chance. `fb.audit` is given the folder as a person's own and does not know. Precision is
the share of what it names that was planted, recall the share of what was planted that it names.
Fashion-MNIST has wrong labels and near-doubles of its own, which count against precision.

    python benchmarks/planted.py --data DIR [--rounds 3]

Writes benchmarks/planted.json and prints the means.
"""

import argparse
import json
import platform
import struct
import tempfile
from pathlib import Path

import numpy as np
import torch

import fashionbench as fb
from fashionbench.core.machine import processor

JUDGES = {
    "linear": ["linear"],
    "lenet, mlp:hidden_units=64": ["lenet", "mlp:hidden_units=64"],
    "lenet, mlp:hidden_units=64, v2": ["lenet", "mlp:hidden_units=64", "v2"],
}
"""A weak one alone, those that an audit has by default, and one more."""
TRAIN, TEST, PLANTED = 4000, 1000, 100
KINDS = ("exact", "mirrored", "moved", "moved, with noise")
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def make_double(image, kind, rng):
    """Return an image that shows the same."""
    if kind == "exact":
        return image
    if kind == "mirrored":
        return image[:, ::-1]
    down, right = rng.choice([-2, -1, 1, 2], 2)
    moved = np.zeros((32, 32))
    moved[2 + down : 30 + down, 2 + right : 30 + right] = image
    noise = rng.normal(0, 4, (28, 28)) if kind == "moved, with noise" else 0
    return (moved[2:30, 2:30] + noise).round().clip(0, 255).astype(np.uint8)


def plant(images, labels, rng):
    """Return arrays of a data set, its planted doubles as {test: (train, kind)}, wrong labels."""
    drawn = rng.choice(len(images), TRAIN + TEST, replace=False)
    images, labels = images[drawn].copy(), labels[drawn].astype(np.uint8)
    originals = rng.choice(TRAIN, 2 * PLANTED, replace=False)
    doubles, wrong = originals[:PLANTED], originals[PLANTED:]
    places = rng.choice(TEST, PLANTED, replace=False)
    planted = {}
    for number, (place, original) in enumerate(zip(places, doubles, strict=True)):
        kind = KINDS[number % len(KINDS)]
        images[TRAIN + place] = make_double(images[original], kind, rng)
        labels[TRAIN + place] = labels[original]
        planted[int(place)] = (int(original), kind)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, PLANTED)) % 10
    arrays = [images[:TRAIN], labels[:TRAIN], images[TRAIN:], labels[TRAIN:]]
    return arrays, planted, {*wrong.tolist()}


def write_files(folder, arrays):
    """Write arrays as MNIST's four files."""
    folder.mkdir()
    for name, array in zip(FILES, arrays, strict=True):
        head = struct.pack(f">{1 + array.ndim}i", 0x0800 + array.ndim, *array.shape)
        (folder / name).write_bytes(head + array.tobytes())


def score(named, planted):
    """Return precision and recall of a set by the set that was planted."""
    hits = len(named & planted)
    return {"precision": hits / max(1, len(named)), "recall": hits / len(planted)}


def score_doubles(pairs, planted):
    """Score all pairs that are named, and the recall of each kind."""
    named = {(pair.a.split, pair.a.position, pair.b.split, pair.b.position) for pair in pairs}
    by_kind = {
        kind: {("train", a, "test", b) for b, (a, of) in planted.items() if of == kind}
        for kind in KINDS
    }
    found = score(named, set().union(*by_kind.values()))
    return found | {"by_kind": {kind: score(named, of)["recall"] for kind, of in by_kind.items()}}


def score_labels(suspects, wrong):
    """Score the training suspects by what doubts them, and the first 100."""
    of_train = [suspect for suspect in suspects if suspect.image.split == "train"]
    lists = {
        "consensus": [s for s in of_train if s.is_consensus],
        "confident learning": [s for s in of_train if s.is_confident],
        "both": [s for s in of_train if s.is_consensus and s.is_confident],
        "either": of_train,
        "the first 100": of_train[:PLANTED],
    }
    return {
        name: score({s.image.position for s in found}, wrong) | {"named": len(found)}
        for name, found in lists.items()
    }


def measure(number, images, labels):
    """Plant, audit by all judges, and score."""
    arrays, doubles, wrong = plant(images, labels, np.random.default_rng(number))
    found = {"labels": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "planted"
        write_files(folder, arrays)
        for name, judges in JUDGES.items():
            audit = fb.audit(str(folder), model=judges, deals=0, out=Path(temporary) / "audit")
            found["labels"][name] = score_labels(audit.suspects, wrong)
            found["doubles"] = score_doubles(audit.doubles, doubles)
    return found


def average(values):
    """Return the mean of numbers, or of dicts of them by key."""
    if isinstance(values[0], dict):
        return {key: average([value[key] for value in values]) for key in values[0]}
    return round(float(np.mean(values)), 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of Fashion-MNIST, as for fashionbench")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    training = fb.load_data(data_dir=options.data).train
    images, labels = training.images.numpy(), training.labels.numpy()
    runs = [measure(number, images, labels) for number in range(options.rounds)]
    document = {
        "command": f"python benchmarks/planted.py --rounds {options.rounds}",
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "planted": PLANTED,
        "summary": average(runs),
        "runs": runs,
    }
    print(json.dumps(document["summary"], indent=1))
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
