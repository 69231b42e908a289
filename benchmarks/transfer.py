"""When does pre-training pay? CIFAR-10 weights against none, on 100 to 60,000 training images.

Each net is trained from random weights, and from the published CIFAR-10 weights by a transfer
recipe (probe, stages opened one by one); on every number of images all get as many epochs.
The weights are those of akamaster/pytorch_resnet_cifar10, normalized by ImageNet's mean and sd,
averaged over colours for grey. The test set is looked at once a run and chooses nothing.

    python benchmarks/transfer.py --data DIR --weights DIR [--models resnet20,resnet56]
                                  [--images 100,1000,10000,60000] [--seeds 5] [--device auto]

Finished runs stay in --out and are not run again, so it can be stopped and given again. Writes
benchmarks/transfer.json, docs/results/transfer.png and docs/transfer.md, of all it has run.
"""

import argparse
import json
from pathlib import Path

import fashionbench as fb

ROOT = Path(__file__).parent.parent
# Fewer images get more epochs: 200 to 9,400 steps of 64 images or fewer.
EPOCHS = {100: 100, 1_000: 40, 10_000: 20, 60_000: 10}
# ImageNet's mean and deviation, averaged over the colours.
GREY = "mean=0.449:sd=0.226"


def recipes(images):
    """From random weights and from published ones: one number of epochs, each its own manner."""
    both = {"epochs": EPOCHS[images], "train_images": images}
    transfer = fb.load_recipe("transfer")
    stages = 5
    fine = transfer.override(**both, unfreeze_every=max(1, EPOCHS[images] // (4 * stages)))
    plain = {"probe_epochs": 0, "unfreeze_every": None, "layer_decay": 1.0}
    return fine.model_copy(update=plain | {"name": "scratch"}), fine.model_copy(
        update={"name": "transfer"}
    )


def compare(model, start, recipe, options):
    """One net on one number of images, over the seeds: what is recorded of it."""
    result = fb.compare(
        [model],
        [recipe],
        options.seeds,
        data=options.data,
        device=options.device,
        out=options.out,
    )
    (entry,) = result.document["entries"]
    name = model.partition(":")[0]
    return {
        "model": name,
        "start": start,
        "images": recipe.train_images,
        "epochs": recipe.epochs,
        "accuracy": entry["accuracy"],
        "accuracies": [run["accuracy"] for run in entry["runs"]],
        "train_seconds": entry["train_seconds"],
        "device": result.document["device"],
        "processor": result.document["processor"],
        "versions": result.document["versions"],
    }


def measure(options):
    """All that was asked for, smallest first; yields a row as soon as it is known."""
    for images in map(int, options.images.split(",")):
        scratch, transfer = recipes(images)
        for name in options.models.split(","):
            (weights,) = options.weights.glob(f"{name}-*.th")
            yield compare(f"{name}:{GREY}", "scratch", scratch, options)
            yield compare(f"{name}:{GREY}:weights={weights}", "CIFAR-10", transfer, options)


def write_plot(rows, path):
    """Accuracy over training images, a line for each net and start, bars for 95 % intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, start in sorted({(row["model"], row["start"]) for row in rows}):
        own = [row for row in rows if (row["model"], row["start"]) == (name, start)]
        mean = [100 * row["accuracy"]["mean"] for row in own]
        bars = [
            [100 * (row["accuracy"]["mean"] - row["accuracy"]["low"]) for row in own],
            [100 * (row["accuracy"]["high"] - row["accuracy"]["mean"]) for row in own],
        ]
        style = "-o" if start == "CIFAR-10" else "--s"
        axes.errorbar(
            [row["images"] for row in own],
            mean,
            bars,
            fmt=style,
            capsize=3,
            label=f"{name}, {start}",
        )
    axes.set(xscale="log", xlabel="training images", ylabel="test accuracy, %")
    axes.legend()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120, facecolor="white")


def page(rows):
    """The page of the docs, of nothing but the rows."""
    lines = [
        "# When does pre-training pay?",
        "",
        *(line for line in __doc__.split("\n\n")[1].splitlines()),
        "",
        "| model | images | epochs | from random weights, % | from CIFAR-10, % | seeds |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    by_key = {(row["model"], row["images"], row["start"]): row for row in rows}
    for name, images in dict.fromkeys((row["model"], row["images"]) for row in rows):
        pair = [by_key.get((name, images, start)) for start in ("scratch", "CIFAR-10")]
        shown = ["–" if row is None else cell(row["accuracy"]) for row in pair]
        row = next(row for row in pair if row)
        lines.append(
            f"| {name} | {images:,} | {row['epochs']} | {shown[0]} | {shown[1]} "
            f"| {row['accuracy']['n']} |"
        )
    first = rows[0]
    lines += [
        "",
        "Mean ± sd over the seeds, with the 95 % interval of the mean for other seeds and images.",
        f"{first['processor']}, {first['device']}, torch {first['versions']['torch']}.",
        "",
        "![Accuracy over training images](results/transfer.png)",
        "",
        "The record is benchmarks/transfer.json; `benchmarks/transfer.py` measures it again.",
        "",
    ]
    return "\n".join(lines)


def cell(accuracy):
    """`71.23 ± 0.45 (70.6 to 71.9)`, in percent; without spread for one seed."""
    text = f"{100 * accuracy['mean']:.2f}"
    if accuracy["n"] > 1:
        low, high = 100 * accuracy["low"], 100 * accuracy["high"]
        text += f" ± {100 * accuracy['sd']:.2f} ({low:.1f} to {high:.1f})"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--models", default="resnet20,resnet56")
    parser.add_argument("--images", default="100,1000,10000,60000")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "transfer")
    options = parser.parse_args()
    rows = []
    for row in measure(options):
        rows.append(row)
        print(row["model"], row["start"], row["images"], cell(row["accuracy"]), flush=True)
        text = json.dumps({"results": rows}, indent=1)
        (ROOT / "benchmarks" / "transfer.json").write_text(text + "\n", "utf-8")
    write_plot(rows, ROOT / "docs" / "results" / "transfer.png")
    (ROOT / "docs" / "transfer.md").write_text(page(rows), "utf-8")


if __name__ == "__main__":
    main()
