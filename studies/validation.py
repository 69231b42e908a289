"""Is accuracy on held-out training images higher than on the test set, and is that overfitting?

    python studies/validation.py [--data DIR] [--models v0,mlp]

The training images are divided into twelve parts of 5,000, by class alike; each part is held out
once. Nothing is chosen by any score, so that no model is fitted to the images that it is scored on.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import VALIDATION_IMAGES, arguments, how, table, write_page
from matplotlib.figure import Figure
from numpy.typing import NDArray

import fashionbench as fb
from fashionbench.core.machine import describe_environment
from fashionbench.data.split import Dataset, Split, hold_out_order
from fashionbench.models.table import MODELS
from fashionbench.stats.intervals import normal_quantile
from fashionbench.stats.metrics import classify
from fashionbench.training.devices import describe_device
from fashionbench.training.evaluation import compute_logits
from fashionbench.training.many_seeds.members import fit_members

SEEDS = {"v0": 8, "mlp": 8}

Right = NDArray[np.float64]
"""(N,) the share of runs that are right about each image."""


def study(model: str, data: Dataset, out: Path) -> dict[str, Any]:
    """Score a model on every part of the training images while it is held out, and on the test set.

    Each part is kept as it is done: stopped and started again, it goes on.
    """
    out.mkdir(parents=True, exist_ok=True)
    parts = np.split(
        hold_out_order(data.train.labels.numpy()), len(data.train) // VALIDATION_IMAGES
    )
    held_out, tested = np.empty(len(data.train)), []
    for number, part in enumerate(parts):
        kept = out / f"{model}-{number}.npz"
        if not kept.exists():
            scored: Any = _score_part(model, data, part)
            np.savez(kept, **scored)
        found = np.load(kept)
        held_out[part] = found["held_out"]
        tested.append(found["test"])
    test = np.mean(tested, axis=0)
    by_part = [
        {"held_out": float(held_out[part].mean()), "test": float(right.mean())}
        for part, right in zip(parts, tested, strict=True)
    ]
    environment = describe_environment(
        {"torch": torch.__version__},
        threads=torch.get_num_threads(),
        device=describe_device(torch.device("cpu")),
    )
    return {
        "model": model,
        "label": MODELS[model].label,
        "seeds": SEEDS[model],
        "parts": by_part,
        "held_out": float(held_out.mean()),
        "test": float(test.mean()),
        "error": float(np.sqrt(sum(right.var() / len(right) for right in (held_out, test)))),
        "document": {
            "processor": environment.processor,
            "threads": environment.threads,
            "versions": environment.versions,
            "device": "cpu",
        },
    }


def _score_part(model: str, data: Dataset, part: NDArray[np.intp]) -> dict[str, Right]:
    """Train on all but a part, from each seed; return the shares of runs that are right."""
    rest = np.setdiff1d(np.arange(len(data.train)), part)
    training, held_out = (
        Split(data.train.images[rows], data.train.labels[rows])
        for rows in (torch.from_numpy(rest), torch.from_numpy(part))
    )
    seeds = range(SEEDS[model])
    models = [fb.build_model(model, seed) for seed in seeds]
    fit_members(models, training, fb.load_recipe("default"), seeds)
    return {
        name: np.mean(
            [classify(compute_logits(m, split.images)) == split.labels.numpy() for m in models],
            axis=0,
        )
        for name, split in (("held_out", held_out), ("test", data.test))
    }


def interval(found: dict[str, Any]) -> tuple[float, float, float]:
    """Return the difference, held-out minus test, with its 95 % interval over images, in points."""
    gap, half = found["held_out"] - found["test"], normal_quantile() * found["error"]
    return 100 * gap, 100 * (gap - half), 100 * (gap + half)


def gaps(found: dict[str, Any]) -> NDArray[np.float64]:
    """Return (P,) differences in points, of each part alone."""
    return 100 * np.array([part["held_out"] - part["test"] for part in found["parts"]])


def draw(found: list[dict[str, Any]]) -> Figure:
    """Draw the difference of each part, and of all together with its interval."""
    figure = Figure(figsize=(8, 0.9 + 0.6 * len(found)), layout="constrained")
    axes = figure.subplots()
    for row, of_model in enumerate(found):
        axes.plot(gaps(of_model), [row] * len(gaps(of_model)), "o", color="#0072B2", alpha=0.5)
        gap, low, high = interval(of_model)
        axes.plot([low, high], [row + 0.25] * 2, "-", color="black")
        axes.plot(gap, row + 0.25, "D", color="black", ms=5)
    axes.axvline(0, color="gray", lw=1)
    axes.set_yticks(range(len(found)), [of_model["label"] for of_model in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlabel(
        "held-out minus test accuracy, points (dot: 5,000 images; diamond: all 60,000, with 95 %)"
    )
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def row(found: dict[str, Any]) -> dict[str, object]:
    gap, low, high = interval(found)
    return {
        "model": found["label"],
        "held-out accuracy, %": f"{100 * found['held_out']:.2f}",
        "test accuracy of the same runs, %": f"{100 * found['test']:.2f}",
        "difference, points (95 %)": f"{gap:+.2f} ({low:+.2f} to {high:+.2f})",
        "of each part alone": f"{gaps(found).min():+.2f} to {gaps(found).max():+.2f}",
        "of --validation-images 5000": f"{gaps(found)[0]:+.2f}",
        "runs": len(found["parts"]) * found["seeds"],
    }


def page(found: list[dict[str, Any]]) -> str:
    """Write the page: question, answer, plot, table."""
    values = [interval(each) for each in found]
    least, most = min(low for _, low, _ in values), max(high for _, _, high in values)
    points = ", ".join(f"{gap:+.2f}" for gap, _, _ in values)
    names = ", ".join(each["label"] for each in found)
    clear = sum(low > 0 for _, low, _ in values)
    return f"""# Why is validation accuracy higher than test accuracy?

With `--validation-images 5000` the table shows an accuracy on held-out training images beside that
on the test set, and on Fashion-MNIST the first is often the higher one. Many notebooks show the
same and call it overfitting.

**Answer:** over all 60,000 training images, each scored by runs that did not train on it, the
difference is {points} points ({names});
{clear} of {len(found)} intervals exclude 0, and together they reach from {least:+.2f} to
{most:+.2f}. Nothing was fitted to either set of images and nothing was chosen by a score, so this
is not overfitting: it lies in the images. One set of 5,000 held-out images says little about it,
since its own luck is as large.

![Held-out minus test accuracy](results/validation.png)

{table([row(each) for each in found])}

## What follows

- Do not read the difference of the two columns as a loss by overfitting. If a validation score
  chose something, such as the epoch at which to stop, that choice adds to the difference; here
  nothing was chosen.
- Do not expect a validation accuracy on the test set. Compare two models on the same images.
- `fashionbench audit` asks whether the official test set is unlike the training images; with its
  stronger models [the difference is smaller](fashion-mnist.md#the-split). `--splits` asks whether a
  verdict holds on other splits ([how](statistics.md#other-splits)).

## How

The training images were divided into {len(found[0]["parts"])} parts of {VALIDATION_IMAGES:,},
each with as many images of every class, in the order in which `--validation-images` holds them
out: the first part is the one that it takes. For each part, models were trained by the recipe
`default` on the other 55,000 images, and scored on the part and on the test set, once each. The
interval is over images: two samples of 60,000 and 10,000, of each the share of runs that are
right.
{how(found[0]["document"])}
Every number: [results/validation.json](results/validation.json).
"""


def main() -> None:
    parser = arguments(__doc__, "validation")
    parser.add_argument("--models", default=",".join(SEEDS), help="which of v0, mlp")
    flags = parser.parse_args()
    data = fb.load_data(data_dir=flags.data)
    found = [study(model, data, flags.out) for model in flags.models.split(",")]
    write_page("validation", page(found), {"models": found}, draw(found))


if __name__ == "__main__":
    main()
