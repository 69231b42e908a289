"""What does accuracy cost? Models from one linear layer to wide ResNets, each trained in earnest.

    python studies/zoo.py [--data DIR] [--models vgg-tiny,mlp-wide] [--seeds 5]

On CUDA all models are trained, for as long as each still gains; on a CPU the smaller ones, each
for about as many epochs as five seeds take an hour on two cores.
"""

from typing import Any

from common import arguments, how, percent, table, write_page

import fashionbench as fb
from fashionbench.checkpoint import slug
from fashionbench.devices import resolve_device
from fashionbench.plots import plot_pareto
from fashionbench.result import Result

EPOCHS = {
    "cpu": {
        "linear": 10,
        "lenet": 10,
        "vgg-tiny": 10,
        "mlp-wide": 100,
        "vgg:width=16": 30,
        "vgg:width=32": 16,
    },
    "cuda": {
        "linear": 10,
        "lenet": 30,
        "mlp-wide": 100,
        "vgg-tiny": 60,
        "separable": 60,
        "convmixer": 60,
        "vit": 60,
        "vgg": 60,
        "speednet": 30,
        "resnet20": 60,
        "resnet56": 60,
        "wrn16-4": 60,
        "wrn28-10": 60,
    },
}
OWN = {
    # Without normalization they cannot bear the rate of the others.
    "linear": {"learning_rate": 0.02},
    "lenet": {"learning_rate": 0.02},
    # Moved images cost it accuracy, mixed ones add to it (validation accuracy, docs/lab-notes.md).
    "mlp-wide": {"augmentation": "flip", "mixing": "mixup:0.2", "precision": "bf16"},
    "vgg:width=32": {"precision": "bf16"},
}
"""Settings that differ from those of the others."""
SMALL = 10_000
"""Models with fewer parameters than this are held back by harder images and by weight decay."""
SHORT = 20
"""Fewer epochs than this are too few for harder images (validation accuracy, docs/lab-notes.md)."""


def recipe_of(model: str, epochs: int) -> fb.Recipe:
    """SGD along one cycle; large models in long training see images moved and partly erased too."""
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
    }
    recipe = fb.load_recipe("seed").override(**settings | OWN.get(model, {}))
    return recipe.model_copy(update={"name": "zoo"})


def figures(result: Result) -> dict[str, Any]:
    """What is told of one model."""
    (entry,) = result.document["entries"]
    kept = ("model", "label", "parameters", "flops_per_image", "accuracy", "loss", "train_seconds")
    return {
        **{key: entry[key] for key in kept},
        "recipe": result.entries[0].runs[0].job.recipe.in_words,
        "epochs": result.entries[0].runs[0].job.recipe.epochs,
        "accuracies": result.entries[0].accuracies,
    }


def page(found: list[dict[str, Any]], document: dict[str, Any]) -> str:
    """The page: question, answer, plot, table."""
    best = max(found, key=lambda model: model["accuracy"]["mean"])
    rows = [
        {
            "model": f"`{model['model']}`",
            "parameters": f"{model['parameters']:,}",
            "MFLOPs an image": f"{model['flops_per_image'] / 1e6:.2f}",
            "epochs": model["epochs"],
            "test accuracy, % (95 %)": percent(model["accuracy"]),
            "loss": f"{model['loss']['mean']:.3f}",
            "seconds": f"{model['train_seconds']['median']:.0f}",
            "runs": model["accuracy"]["n"],
        }
        for model in found
    ]
    recipes = "\n".join(f"- `{model['model']}`: {model['recipe']}" for model in found)
    return f"""# What does accuracy cost?

**Answer:** from {percent(found[0]["accuracy"])} % for {found[0]["parameters"]:,} parameters in
{found[0]["label"]} to {percent(best["accuracy"])} % for {best["parameters"]:,} in {best["label"]}.

![Accuracy over parameters, FLOPs and times; the line is the Pareto front](results/zoo.png)

{table(rows)}

## How

The last epoch of each run, with nothing chosen by the test set, which was looked at once a run. The
recipes are customary ones; that short training wants easier images was seen on validation images.

{recipes}

{how(document)} Every figure: [results/zoo.json](results/zoo.json).
"""


def main() -> None:
    parser = arguments(__doc__, "zoo")
    parser.add_argument("--models", help="some of those that the device is given")
    parser.add_argument("--seeds", type=int, default=5)
    flags = parser.parse_args()
    epochs = EPOCHS["cuda" if resolve_device("auto").type == "cuda" else "cpu"]
    models = flags.models.split(",") if flags.models else list(epochs)
    results = [
        fb.compare(
            [model],
            [recipe_of(model, epochs[model])],
            flags.seeds,
            data=flags.data,
            out=flags.out / slug(model),
        )
        for model in models
    ]
    found = [figures(result) for result in results]
    named = [(result.entries[0].label, result.entries[0].runs) for result in results]
    document = results[0].document
    kept = {key: document[key] for key in ("processor", "threads", "versions", "device")}
    plot = plot_pareto(named, results[0].test_set)
    write_page("zoo", page(found, document), {"document": kept, "models": found}, plot)


if __name__ == "__main__":
    main()
