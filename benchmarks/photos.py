"""How often is a photo classified rightly: prepared by us, and plainly made grey and resized?

The photos lie in a folder for each kind of item; what counts as right for a kind is in KINDS, and
of the pair that a kind allows the probabilities are added. Top-3 is over the kinds.

    python benchmarks/photos.py MODEL PHOTOS

MODEL is a checkpoint or a run folder, as for `fashionbench predict`. Prints both results with their
confusion matrices, and writes benchmarks/photos.json.
"""

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import torch

from fashionbench.predict import load_predictor
from fashionbench.prepare import load_picture, prepare

KINDS = {
    "t-shirt": ["T-shirt/top"],
    "pants": ["Trouser"],
    "longsleeve": ["Pullover"],
    "dress": ["Dress"],
    "outwear": ["Coat"],
    "shirt": ["Shirt"],
    "shoes": ["Sandal", "Sneaker", "Ankle boot"],
}


def plain(picture):
    """Grey and resized, and nothing else."""
    return np.asarray(picture.convert("L").resize((28, 28)))


def measure(predictor, prepared, truth):
    """Top-1, top-3, the share called sure and top-1 of it, and the confusion matrix."""
    probabilities = predictor.predict_prepared(prepared)
    kinds = np.stack(
        [
            sum(probabilities[:, predictor.classes.index(name)] for name in names)
            for names in KINDS.values()
        ],
        axis=1,
    )
    ranks = np.argsort(-kinds, axis=1)
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
        (k, file)
        for k, kind in enumerate(KINDS)
        for file in sorted((flags.photos / kind).iterdir())
    ]
    pictures = [load_picture(file) for _, file in files]
    truth = np.array([kind for kind, _ in files])
    results = {
        name: measure(predictor, np.stack([way(picture) for picture in pictures]), truth)
        for name, way in (("grey and resize", plain), ("prepared", prepare))
    }
    for name, result in results.items():
        show(name, result)
    document = {
        "command": "python benchmarks/photos.py MODEL PHOTOS",
        "model": predictor.label,
        "photos": len(files),
        "kinds": list(KINDS),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "results": results,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
