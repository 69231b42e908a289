"""What does accuracy cost? Models from one linear layer to wide ResNets, each trained for long.

    python studies/zoo.py [--data DIR] [--models vgg-tiny,mlp-wide] [--seeds 5]

On CUDA all models are trained, on a CPU the smaller ones, each for about as many epochs as five
seeds take an hour on two cores. What is recorded of models that are not asked for, and of the
other kind of device, stays on the page.
"""

import json
import time
from statistics import median, mode
from typing import Any

import torch
from common import DOCS, arguments, how, percent, table, write_page
from torch import Tensor

import fashionbench as fb
from fashionbench.core.files import slug
from fashionbench.core.logits import infer
from fashionbench.report.pareto import COSTS, draw_pareto
from fashionbench.training.devices import resolve_device

RECORD = DOCS / "results" / "zoo.json"
DEVICES = {"cpu": "CPU", "cuda": "GPU"}

EPOCHS = {
    "cpu": {
        "linear": 10,
        "lenet": 10,
        "vgg-tiny": 10,
        "mlp-wide:dropout=0": 200,
        "vgg:width=16": 30,
        "vgg": 16,
    },
    "cuda": {
        "linear": 10,
        "lenet": 30,
        "vgg-tiny": 60,
        "mlp-wide:dropout=0": 300,
        "separable": 60,
        "convmixer": 60,
        "vit": 60,
        "vgg": 60,
        "speednet": 30,
        "speednet:width=128": 60,
        "resnet20": 60,
        "resnet56": 60,
        "wrn16-4": 20,
        "wrn28-10": 20,
    },
}
OWN: dict[str, dict[str, Any]] = {
    # Without normalization they diverge at the learning rate of the others.
    "linear": {"learning_rate": 0.02},
    "lenet": {"learning_rate": 0.02},
    # It learns less from images moved by two pixels (validation accuracy, docs/lab-notes.md).
    "mlp-wide:dropout=0": {
        "augmentation": "flip,shift:1,erase:0.25",
        "batch_size": 256,
        "precision": "bf16",
    },
    "speednet:width=128": {"test_views": "shifts"},
    "vgg": {"precision": "bf16"},
}
"""Settings that differ from those of the others."""
SMALL = 10_000
"""Models with fewer parameters than this are held back by harder images and by weight decay."""
SHORT = 20
"""Fewer epochs than this are too few for harder images (validation accuracy, docs/lab-notes.md)."""


def recipe_of(model: str, epochs: int, device: str) -> fb.Recipe:
    """Return SGD with one cycle; large models in long training get stronger augmentation.

    On CUDA all compute in bf16.
    """
    parameters = sum(parameter.numel() for parameter in fb.build_model(model).parameters())
    easy = parameters < SMALL or epochs < SHORT
    settings = {
        "epochs": epochs,
        "batch_size": 128,
        "momentum": 0.9,
        "nesterov": True,
        "learning_rate": 0.1,
        "schedule": "one-cycle",
        "weight_decay": 0 if parameters < SMALL else 5e-4,
        "augmentation": "flip" if easy else "flip,shift:2,erase:0.25",
        "test_views": "flip",
        "precision": "bf16" if device == "cuda" else "fp32",
    }
    recipe = fb.load_recipe("default").override(**settings | OWN.get(model, {}))
    return recipe.renamed("zoo")


def figures(result: fb.Result) -> dict[str, Any]:
    """Return what the page shows of one model."""
    document, (finished,) = result.document.model_dump(), result.entries
    (entry,) = document["entries"]
    recipe = finished.runs[0].job.recipe
    kept = ("model", "label", "parameters", "flops_per_image", "accuracy", "loss", "train_seconds")
    return {
        **{key: entry[key] for key in kept},
        "recipe": recipe.in_words,
        "test_views": recipe.test_views,
        "epochs": recipe.epochs,
        "accuracies": finished.accuracies,
        "device": document["device"],
        "made": how(document),
    }


def microseconds(row: dict[str, Any], images: Tensor) -> float:
    """Time inference for a test image, in batches and views as in its recipe: median of three."""
    model, times = fb.build_model(row["model"]).to(row["device"]), []
    model.to(memory_format=torch.channels_last)
    for _ in range(3):
        start = time.perf_counter()
        infer(model, images, row["test_views"])
        times.append(time.perf_counter() - start)
    return 1e6 * median(times) / len(images)


def costs(row: dict[str, Any], *, timed: bool) -> dict[str, float]:
    """Return what the plot shows of a model; times only if they are of the plot's device."""
    paid = [row["parameters"], row["flops_per_image"]]
    times = [row["train_seconds"]["mean"], row["microseconds"]] if timed else []
    return dict(zip(COSTS, paid + times, strict=False))


def page(found: list[dict[str, Any]]) -> str:
    """Write the page: question, answer, plot, table."""
    worst, best = (pick(found, key=lambda row: row["accuracy"]["mean"]) for pick in (min, max))
    rows = [
        {
            "model": f"`{model['model']}`",
            "parameters": f"{model['parameters']:,}",
            "MFLOPs per image": f"{model['flops_per_image'] / 1e6:.2f}",
            "device": DEVICES[model["device"]],
            "epochs": model["epochs"],
            "test accuracy, % (95 %)": percent(model["accuracy"]),
            "loss": f"{model['loss']['mean']:.3f}",
            "training, s": f"{model['train_seconds']['median']:.0f}",
            "inference, µs per image": f"{model['microseconds']:.0f}",
            "runs": model["accuracy"]["n"],
        }
        for model in found
    ]
    recipes = "\n".join(f"- `{model['model']}`: {model['recipe']}" for model in found)
    made = " ".join(sorted({model["made"] for model in found}))
    return f"""# What does accuracy cost?

**Answer:** models range from `{worst["model"]}`, which reaches {percent(worst["accuracy"])} %
with {worst["parameters"]:,} parameters, to `{best["model"]}`, which reaches
{percent(best["accuracy"])} % with {best["parameters"]:,}.

![Accuracy over parameters, FLOPs and times; the line is the Pareto front](results/zoo.png)

{table(rows)}

## How

Each run was scored on the test set once, after its last epoch, and nothing was chosen by the
scores. The recipes are common ones. Validation images decided that short training gets weaker
augmentation, and how the wide MLP and SpeedNet are trained. Models were trained on different
days, so their training times also depend on what else the machine did; inference was timed for
one model after another. The plot shows the times of the device that most models were trained on.

{recipes}

{made} Every number: [results/zoo.json](results/zoo.json).
"""


def main() -> None:
    parser = arguments(__doc__, "zoo")
    parser.add_argument("--models", help="some of those that the device is given")
    parser.add_argument("--seeds", type=int, default=5)
    flags = parser.parse_args()
    device = resolve_device("auto").type
    epochs = EPOCHS[device]
    before = json.loads(RECORD.read_text("utf-8"))["models"] if RECORD.exists() else []
    found = {(row["model"], row["device"]): row for row in before}
    for model in flags.models.split(",") if flags.models else epochs:
        recipe, folder = recipe_of(model, epochs[model], device), flags.out / slug(model)
        compared = fb.compare(
            [model],
            seeds=flags.seeds,
            recipes=recipe,
            device=device,
            data_dir=flags.data,
            out=folder,
        )
        found[model, device] = figures(compared)
    images = fb.load_data(data_dir=flags.data).test.images
    write(
        [
            row | {"microseconds": microseconds(row, images)} if row["device"] == device else row
            for row in found.values()
        ]
    )


def write(found: list[dict[str, Any]]) -> None:
    """Write the page, its numbers and its plot, by rising accuracy."""
    rows = sorted(found, key=lambda row: row["accuracy"]["mean"])
    usual = mode(row["device"] for row in rows)
    points = [
        (row["model"], (row["accuracy"]["mean"], costs(row, timed=row["device"] == usual)))
        for row in rows
    ]
    write_page("zoo", page(rows), {"models": rows}, draw_pareto(points, "Fashion-MNIST"))


if __name__ == "__main__":
    main()
