"""When does pre-training pay? Weights from CIFAR-10 against none, on 100 to 60,000 images.

    python studies/transfer.py --weights DIR [--data DIR] [--models resnet20,resnet56]
                               [--images 100,1000,10000,60000] [--seeds 5]

DIR holds resnet20-*.th and resnet56-*.th as akamaster/pytorch_resnet_cifar10 publishes them. Each
net is trained from random weights, and from the published ones by the recipe `transfer` (probe,
stages opened one by one); with the same number of images both get as many epochs. What is recorded
of nets and numbers that are not asked for stays on the page.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from common import DOCS, arguments, enumerate_words, how, percent, points, table, write_page
from matplotlib.figure import Figure

import fashionbench as fb
from fashionbench.errors import UsageError
from fashionbench.report.numbers import with_minus
from fashionbench.stats.difference import difference

RECORD = DOCS / "results" / "transfer.json"

EPOCHS = {100: 100, 1_000: 40, 10_000: 20, 60_000: 10}
"""Fewer images get more epochs: 200 to 9,400 steps of 64 images or fewer."""
GREY = "mean=0.449:sd=0.226"
"""ImageNet's mean and deviation, which the nets were trained with, averaged over the colours."""
STAGES = 5
"""Of these nets: the first layer, three groups of blocks, the last layer."""
STARTS = {"random weights": "#0072B2", "CIFAR-10": "#D55E00"}


def recipes(images: int) -> tuple[fb.Recipe, fb.Recipe]:
    """Return the recipes for random weights and for published ones."""
    epochs = EPOCHS[images]
    transfer = fb.load_recipe("transfer").override(
        epochs=epochs,
        train_images=images,
        unfreeze_every=max(1, epochs // (4 * STAGES)),
        precision="bf16",
    )
    scratch = {"probe_epochs": 0, "unfreeze_every": None, "layer_decay": 1.0}
    return (
        transfer.model_copy(update=scratch).renamed("scratch"),
        transfer.renamed("transfer"),
    )


def study(model: str, images: int, flags: Any) -> dict[str, Any]:
    """Compare both starts of one network on one number of images."""
    found = sorted(flags.weights.glob(f"{model}-*.th"))
    if not found:
        raise UsageError(f"{flags.weights} holds no {model}-*.th; name its folder with --weights.")
    names = (f"{model}:{GREY}", f"{model}:{GREY}:weights={found[0]}:head=new")
    results = [
        fb.compare(
            [name],
            seeds=flags.seeds,
            recipes=recipe,
            data_dir=flags.data,
            out=flags.out / recipe.name,
        )
        for name, recipe in zip(names, recipes(images), strict=True)
    ]
    documents = [result.document.model_dump() for result in results]
    labels = results[0].test_set.labels
    gain = difference(*(result.entries[0].mark_correct(labels) for result in reversed(results)))
    return {
        "model": model,
        "images": images,
        "epochs": EPOCHS[images],
        "starts": {
            start: {
                "accuracy": document["entries"][0]["accuracy"],
                "accuracies": result.entries[0].accuracies,
            }
            for start, document, result in zip(STARTS, documents, results, strict=True)
        },
        "gain": {"mean": gain.difference, "low": gain.low, "high": gain.high},
        "made": how(documents[0]),
    }


def draw(found: list[dict[str, Any]]) -> Figure:
    """Draw accuracy over training images, a panel for each network, a line for each start."""
    models = list(dict.fromkeys(row["model"] for row in found))
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    panels = figure.subplots(1, len(models), squeeze=False, sharex=True, sharey=True)[0]
    for axes, model in zip(panels, models, strict=True):
        rows = [row for row in found if row["model"] == model]
        for start, colour in STARTS.items():
            summaries = [row["starts"][start]["accuracy"] for row in rows]
            values = 100 * np.array(
                [[summary[key] for key in ("mean", "low", "high")] for summary in summaries]
            )
            spans = np.abs(values[:, 1:] - values[:, :1]).T
            images = [row["images"] for row in rows]
            axes.errorbar(
                images, values[:, 0], spans, fmt="-o", color=colour, capsize=3, label=start
            )
        axes.set(xscale="log", xlabel="training images")
        axes.set_title(model, loc="left", fontsize=10)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("test accuracy, %")
    panels[0].legend(frameon=False)
    return figure


def verdict(row: dict[str, Any]) -> str:
    if row["gain"]["low"] > 0:
        return "pays"
    return "harms" if row["gain"]["high"] < 0 else "is undecided"


def answer(found: list[dict[str, Any]]) -> str:
    """Say with how many images pre-training pays, network by network."""
    said = []
    for model in dict.fromkeys(row["model"] for row in found):
        rows = [row for row in found if row["model"] == model]
        for word in dict.fromkeys(map(verdict, rows)):
            alike = [row for row in rows if verdict(row) == word]
            images = enumerate_words([f"{row['images']:,}" for row in alike])
            gains = enumerate_words([f"{100 * row['gain']['mean']:+.1f}" for row in alike])
            gained = f"{with_minus(gains)} points"
            said.append(f"for `{model}` it {word} with {images} images ({gained})")
    return "; ".join(said)


def page(found: list[dict[str, Any]]) -> str:
    """Write the page: question, answer, plot, table."""
    rows = [
        {
            "network": row["model"],
            "images": f"{row['images']:,}",
            "epochs": row["epochs"],
            **{f"{start}, % (95 %)": percent(row["starts"][start]["accuracy"]) for start in STARTS},
            "gain, points (95 %)": points(row["gain"]),
            "runs": row["starts"]["CIFAR-10"]["accuracy"]["n"],
        }
        for row in found
    ]
    made = "\n".join(f"- {made}" for made in dict.fromkeys(row["made"] for row in found))
    return f"""# When does pre-training pay?

**Answer:** {answer(found)}.

![Accuracy over training images, with and without weights from CIFAR-10](results/transfer.png)

{table(rows)}

## How

The weights come from
[akamaster/pytorch_resnet_cifar10](https://github.com/akamaster/pytorch_resnet_cifar10). Their
first layer is summed over the colors to take grey images, and their last layer is new. The recipe
`transfer` first trains the last layer alone, on features that are computed once, then unfreezes
stage after stage, with lower learning rates towards the input. Networks with random weights train
all layers at once, with the same epochs, batches, optimizer and schedule. Both compute in bf16.
Every seed sees the same images, the same number of each class. Each run was scored on the test
set once, and nothing was chosen by the scores.

{made}

Every number: [results/transfer.json](results/transfer.json).
"""


def main() -> None:
    parser = arguments(__doc__, "transfer")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--models", default="resnet20,resnet56")
    parser.add_argument("--images", default="100,1000,10000,60000")
    parser.add_argument("--seeds", type=int, default=5)
    flags = parser.parse_args()
    before = json.loads(RECORD.read_text("utf-8"))["rows"] if RECORD.exists() else []
    found = {(row["model"], row["images"]): row for row in before}
    for model in flags.models.split(","):
        for images in map(int, flags.images.split(",")):
            found[model, images] = study(model, images, flags)
            rows = [found[key] for key in sorted(found)]
            write_page("transfer", page(rows), {"rows": rows}, draw(rows))


if __name__ == "__main__":
    main()
