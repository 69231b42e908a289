"""How often is a photo classified rightly? Plainly resized, prepared, and as `predict` does it.

The photos lie in a folder for each kind of item; what counts as right for a kind is in KINDS, and
where a kind allows several classes their probabilities are added. Top-3 is over the kinds.

    python benchmarks/photos.py PHOTOS

The shipped model answers. Prints the results with a confusion matrix and writes
benchmarks/photos.json. What is fitted to photos is fitted anew on four fifths of them, for the
other fifth, in turn: what others can expect. First temperature and offsets of the classes alone, by
each mask and by all; then the last layer, too. At the end it is fitted on all photos and written
beside the shipped model, for which `predict` uses it.
"""

import argparse
import json
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize

from fashionbench.data.picture_reading import load_picture
from fashionbench.inference.calibration import PhotoCalibration, find_last_layer
from fashionbench.inference.photos import prepare
from fashionbench.inference.predictor import TINY, load_predictor
from fashionbench.stats.metrics import log_softmax

KINDS = {
    "t-shirt": ["T-shirt/top"],
    "pants": ["Trouser"],
    "longsleeve": ["Pullover"],
    "dress": ["Dress"],
    "outwear": ["Coat"],
    "shirt": ["Shirt"],
    "shoes": ["Sandal", "Sneaker", "Ankle boot"],
}
FOLDS = 5
RIDGE = 0.01
"""What the square of an offset costs, in nats."""
FIRM = 0.1
"""What the square of a weight costs, by a feature of standard deviation 1."""


def of_kinds(probabilities, classes):
    """(N, K) of classes -> (N, 7) of kinds."""
    columns = [[classes.index(name) for name in names] for names in KINDS.values()]
    return np.stack([probabilities[:, column].sum(axis=1) for column in columns], axis=1)


def fit(logs, features, truth, classes):
    """(N, K) log-probabilities, (N, F) features or None -> the calibration of the least loss."""
    if features is None:
        features = np.zeros((len(logs), 1))
    mean, sd = features.mean(axis=0), features.std(axis=0) + 1e-6
    features, (n, k) = (features - mean) / sd, logs.shape
    kind_of = {name: kind for kind, names in enumerate(KINDS.values()) for name in names}
    kinds = np.array([kind_of.get(name, -1) for name in classes])
    is_right, is_any = kinds == truth[:, None], kinds >= 0

    def loss(values):
        scale, offsets, weights = values[0], values[1 : 1 + k], values[1 + k :].reshape(-1, k)
        shares = np.exp(log_softmax(logs * scale + offsets + features @ weights))
        right, seen = (shares * is_right).sum(1), (shares * is_any).sum(1)
        slope = shares * (is_any / seen[:, None] - is_right / right[:, None]) / n
        cost = RIDGE * np.square(offsets).sum() + FIRM * np.square(weights).sum()
        by_weights = features.T @ slope + 2 * FIRM * weights
        gradient = [[(slope * logs).sum()], slope.sum(0) + 2 * RIDGE * offsets, by_weights.ravel()]
        return np.log(seen / right).mean() + cost, np.concatenate(gradient)

    start = np.concatenate([[1.0], np.zeros(k + features.shape[1] * k)])
    values = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    weights = (values[1 + k :].reshape(-1, k) / sd[:, None]).T
    return PhotoCalibration(1 / values[0], values[1 : 1 + k] - weights @ mean, weights)


def calibrated(calibration, logs, features):
    if features is None:
        features = np.zeros((len(logs), 1))
    logits = logs / calibration.temperature + calibration.offsets
    return np.exp(log_softmax(logits + features @ calibration.weights.T))


def out_of_fold(logs, features, truth, classes):
    """Probabilities of each photo, calibrated by what the photos of the other folds ask for."""
    found = np.empty_like(logs)
    order = np.random.default_rng(0).permutation(len(truth))
    for fold in range(FOLDS):
        left_out = order[fold::FOLDS]
        others = np.setdiff1d(order, left_out)
        known, unknown = (None if features is None else features[i] for i in (others, left_out))
        fitted = fit(logs[others], known, truth[others], classes)
        found[left_out] = calibrated(fitted, logs[left_out], unknown)
    return found


def look(predictor, prepared):
    """Ask the model about a photo's views: mean log-probabilities and mean features."""
    features = []
    hook = find_last_layer(predictor.model).register_forward_hook(
        lambda module, given, _: features.append(given[0])
    )
    logs = np.log(predictor.predict_prepared(prepared.views) + TINY).mean(axis=0)
    hook.remove()
    return logs, torch.cat(features).mean(dim=0).double().numpy()


def look_by_mask(predictor, prepared, way):
    """Ask about the views of one mask, or of the first where that way found nothing."""
    parts = {part.masks: part for part in prepared.by_mask()}
    return look(predictor, parts.get((way,), next(iter(parts.values()))))[0]


def measure(probabilities, truth, predictor, doubtful):
    """Top-1, top-3, the share called sure and top-1 of it, and the confusion matrix."""
    ranks = np.argsort(-of_kinds(probabilities, predictor.classes), axis=1, kind="stable")
    right = ranks[:, 0] == truth
    sure = np.array([predictor.is_sure(row) for row in probabilities]) & ~doubtful
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
    parser.add_argument("photos", type=Path)
    flags = parser.parse_args()
    predictor = load_predictor("photo")
    classes = predictor.classes
    files = [
        (index, file)
        for index, kind in enumerate(KINDS)
        for file in sorted((flags.photos / kind).iterdir())
    ]
    truth = np.array([index for index, _ in files])
    pictures = [load_picture(file) for _, file in files]
    plain = np.stack([np.asarray(p.convert("L").resize((28, 28))) for p in pictures])
    prepared = [prepare(picture) for picture in pictures]
    logs, features = (
        np.stack(found)
        for found in zip(*(look(predictor, photo) for photo in prepared), strict=True)
    )
    by_mask = {
        way: np.stack([look_by_mask(predictor, photo, way) for photo in prepared])
        for way in ("grabcut", "salient", "salient+grabcut")
    }
    fitted = fit(logs, features, truth, classes)
    fitted.write(predictor.path, classes)
    shipped = replace(predictor, photo_model=load_predictor("photo").photo_model)
    plainly = predictor.predict_prepared(plain)
    probabilities = {
        "grey and resize": plainly,
        "prepared": predictor.predict_prepared(np.stack([p.image for p in prepared])),
        **{
            f"{way}, offsets": out_of_fold(found, None, truth, classes)
            for way, found in by_mask.items()
        },
        "all masks, offsets": out_of_fold(logs, None, truth, classes),
        "fitted on other photos": out_of_fold(logs, features, truth, classes),
        "as predict does it": np.stack([shipped.average_views(p) for p in prepared]),
    }
    several = np.array([bool(shipped.judge(photo).items) for photo in prepared])
    doubtful = several | np.array([photo.is_cut for photo in prepared])
    nothing = np.zeros(len(truth), bool)  # is known of a photo that is only resized
    results = {
        name: measure(found, truth, predictor, nothing if found is plainly else doubtful)
        for name, found in probabilities.items()
    }
    for name, result in results.items():
        show(name, result)
    document = {
        "command": "python benchmarks/photos.py PHOTOS",
        "model": predictor.label,
        "photos": len(files),
        "called several": int(several.sum()),
        "called cut": int(doubtful.sum() - several.sum()),
        "kinds": list(KINDS),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "results": results,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
