"""How often is a photo classified rightly? Plainly resized, prepared, and as `predict` does it.

The photos lie in a folder for each kind of item; what counts as right for a kind is in KINDS, and
where a kind allows several classes their probabilities are added. Top-3 is over the kinds.

    python benchmarks/photos.py MODEL PHOTOS

MODEL is a checkpoint or a run folder, as for `fashionbench predict`. Prints the results with a
confusion matrix and writes benchmarks/photos.json. The last of them fits temperature and offsets
of classes anew on four fifths of the photos, for the other fifth, in turn: what those
that lie beside the shipped model, which were fitted so on all photos, can be expected to do for
others. They are applied to that model alone: measure it as the model `photo`.
"""

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize

from fashionbench.data.picture_reading import load_picture
from fashionbench.inference.photos import prepare
from fashionbench.inference.predictor import TINY, load_predictor

KINDS = {
    "t-shirt": ["T-shirt/top"],
    "pants": ["Trouser"],
    "longsleeve": ["Pullover"],
    "dress": ["Dress"],
    "outwear": ["Coat"],
    "shirt": ["Shirt"],
    "shoes": ["Sandal", "Sneaker", "Ankle boot"],
}
FOLDS, RIDGE = 5, 0.01


def of_kinds(probabilities, classes):
    """(N, K) of classes -> (N, 7) of kinds."""
    columns = [[classes.index(name) for name in names] for names in KINDS.values()]
    return np.stack([probabilities[:, column].sum(axis=1) for column in columns], axis=1)


def fit(logs, truth, classes):
    """(N, K) log-probabilities -> the inverse temperature and K offsets of the least loss."""

    def loss(values):
        kinds = of_kinds(np.exp(logs * values[0] + values[1:]), classes)
        shares = kinds[np.arange(len(truth)), truth] / kinds.sum(axis=1)
        return -np.log(shares).mean() + RIDGE * np.square(values[1:]).sum()

    return minimize(loss, np.append(1.0, np.zeros(len(classes)))).x


def adjusted(logs, values):
    scaled = np.exp(logs * values[0] + values[1:])
    return scaled / scaled.sum(axis=1, keepdims=True)


def out_of_fold(logs, truth, classes):
    """Probabilities of each photo, adjusted by what the photos of the other folds ask for."""
    found = np.empty_like(logs)
    order = np.random.default_rng(0).permutation(len(truth))
    for fold in range(FOLDS):
        left_out = order[fold::FOLDS]
        others = np.setdiff1d(order, left_out)
        found[left_out] = adjusted(logs[left_out], fit(logs[others], truth[others], classes))
    return found


def measure(probabilities, truth, predictor):
    """Top-1, top-3, the share called sure and top-1 of it, and the confusion matrix."""
    ranks = np.argsort(-of_kinds(probabilities, predictor.classes), axis=1, kind="stable")
    right = ranks[:, 0] == truth
    sure = np.array([predictor.is_sure(row) for row in probabilities])
    confusion = np.zeros((len(KINDS), len(KINDS)), int)
    np.add.at(confusion, (truth, ranks[:, 0]), 1)
    return {
        "top1": right.mean(),
        "top3": (ranks[:, :3] == truth[:, None]).any(axis=1).mean(),
        "sure": sure.mean(),
        "top1_of_sure": right[sure].mean() if sure.any() else None,
        "confusion": confusion.tolist(),
    }


def show(name, result):
    print(f"\n{name}: top-1 {result['top1']:.1%}, top-3 {result['top3']:.1%}; sure of", end=" ")
    print(f"{result['sure']:.0%}, right then {result['top1_of_sure'] or 0:.0%}")
    print(f"{'':12}" + "".join(f"{kind:>11}" for kind in KINDS))
    for kind, row in zip(KINDS, result["confusion"], strict=True):
        print(f"{kind:12}" + "".join(f"{count:11}" for count in row))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path)
    flags = parser.parse_args()
    predictor = load_predictor(flags.model)
    files = [
        (index, file)
        for index, kind in enumerate(KINDS)
        for file in sorted((flags.photos / kind).iterdir())
    ]
    truth = np.array([index for index, _ in files])
    pictures = [load_picture(file) for _, file in files]
    plain = np.stack([np.asarray(p.convert("L").resize((28, 28))) for p in pictures])
    prepared = [prepare(picture) for picture in pictures]
    logs = np.stack(
        [np.log(predictor.predict_prepared(p.views) + TINY).mean(axis=0) for p in prepared]
    )
    values = fit(logs, truth, predictor.classes)
    probabilities = {
        "grey and resize": predictor.predict_prepared(plain),
        "prepared": predictor.predict_prepared(np.stack([p.image for p in prepared])),
        "as predict does it": np.stack([predictor.average_views(p) for p in prepared]),
        "fitted on other photos": out_of_fold(logs, truth, predictor.classes),
    }
    results = {name: measure(found, truth, predictor) for name, found in probabilities.items()}
    for name, result in results.items():
        show(name, result)
    offsets = dict(zip(predictor.classes, values[1:].round(2).tolist(), strict=True))
    print(f"\nfitted on all: temperature {1 / values[0]:.2f}, offsets {offsets}")
    document = {
        "command": "python benchmarks/photos.py MODEL PHOTOS",
        "model": predictor.label,
        "photos": len(files),
        "kinds": list(KINDS),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "results": results,
        "fitted": {"temperature": 1 / values[0], "offsets": offsets},
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
