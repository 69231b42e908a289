"""What does each augmentation of the training images add, alone and together?

    python studies/augmentation.py [--data DIR] [--models v2,vgg:width=16] [--epochs 10] [--seeds 5]

Every model is trained on the images as they are, with each augmentation alone, with some together
and with images mixed in pairs; all else stays the same.
"""

from typing import Any

import numpy as np
from common import arguments, how, percent, points, table, write_page
from matplotlib.figure import Figure

import fashionbench as fb
from fashionbench.report.numbers import format_points

KINDS: dict[str, dict[str, Any]] = {
    "none": {},
    "flip": {"augmentation": "flip"},
    "shift": {"augmentation": "shift:2"},
    "rotate": {"augmentation": "rotate:10"},
    "erase": {"augmentation": "erase:0.25"},
    "cutmix": {"mixing": "cutmix:1"},
    "flip, shift": {"augmentation": "flip,shift:2"},
    "flip, shift, erase": {"augmentation": "flip,shift:2,erase:0.25"},
}
RATES = {"v2": 0.02, "vgg:width=16": 0.05}
"""V2's by validation images: 0.01 learns less, with 0.03 a seed collapses. VGG's is usual."""
TURNED = {"better": "worse", "worse": "better"}
"""The comparison judges the images as they are; the page judges the augmentation."""


def recipe_of(model: str, kind: str, epochs: int) -> fb.Recipe:
    """Return SGD with momentum and a cosine schedule, which gains by longer training."""
    recipe = fb.load_recipe("default").override(
        epochs=epochs,
        batch_size=128,
        momentum=0.9,
        nesterov=True,
        learning_rate=RATES[model],
        schedule="cosine",
        weight_decay=5e-4,
        **KINDS[kind],
    )
    return recipe.renamed(kind)


def study(model: str, flags: Any) -> dict[str, Any]:
    """Compare the augmentations on one model, each with no augmentation."""
    recipes = [recipe_of(model, kind, flags.epochs) for kind in KINDS]
    folder = flags.out / model
    result = fb.compare(
        [model], seeds=flags.seeds, recipes=recipes, data_dir=flags.data, out=folder
    )
    document = result.document.model_dump()
    gains = {
        pair.second.recipe: {
            "mean": -pair.found.difference,
            "low": -pair.found.high,
            "high": -pair.found.low,
            "word": TURNED.get(pair.verdict.word, pair.verdict.word),
        }
        for pair in result.pairs
        if pair.first.recipe == "none"
    }
    return {
        "model": model,
        "learning_rate": RATES[model],
        "label": document["entries"][0]["label"],
        "document": {key: document[key] for key in ("processor", "threads", "versions", "device")},
        "kinds": [
            {
                "kind": entry["recipe"],
                "accuracy": entry["accuracy"],
                "loss": entry["loss"],
                "accuracies": [run["accuracy"] for run in entry["runs"]],
                "gain": gains.get(entry["recipe"]),
            }
            for entry in document["entries"]
        ],
    }


def draw(found: list[dict[str, Any]]) -> Figure:
    """Draw the gain of each augmentation with its interval, a panel for each model."""
    kinds = list(KINDS)[1:]
    figure = Figure(figsize=(9.5, 1 + 0.3 * len(kinds)), layout="constrained")
    panels = figure.subplots(1, len(found), squeeze=False, sharey=True)[0]
    for axes, model in zip(panels, found, strict=True):
        gains = [kind["gain"] for kind in model["kinds"][1:]]
        values = 100 * np.array([[gain[key] for key in ("mean", "low", "high")] for gain in gains])
        spans = np.abs(values[:, 1:] - values[:, :1]).T
        axes.errorbar(values[:, 0], range(len(kinds)), xerr=spans, fmt="o", color="#0072B2")
        axes.axvline(0, color="black", lw=0.8)
        axes.set_title(model["label"], loc="left", fontsize=10)
        axes.set_xlabel("points of test accuracy gained, 95 %")
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(kinds)), kinds)
    panels[0].invert_yaxis()
    return figure


def answer(model: dict[str, Any]) -> str:
    """Return which augmentations improve the model, and which worsen it, beyond luck."""

    def named(word: str) -> str:
        found = [
            f"{kind['kind'].replace(', ', '+')} ({format_points(kind['gain']['mean'])} points)"
            for kind in model["kinds"][1:]
            if kind["gain"]["word"] == word
        ]
        return " and ".join(found) or "no augmentation"

    better, worse = named("better"), named("worse")
    return f"{better} improves {model['label']}, and {worse} make it worse"


def verdict(gain: dict[str, Any]) -> str:
    """Return the verdict in the report's words, and why it is open beside an interval without 0."""
    word, pairs = str(gain["word"]), len(KINDS) * (len(KINDS) - 1) // 2
    excludes_zero = gain["low"] > 0 or gain["high"] < 0
    adjusted = word == "not decided" and excludes_zero
    return f"{word}, adjusted for {pairs} pairs" if adjusted else word


def page(found: list[dict[str, Any]], epochs: int) -> str:
    """Write the page: question, answer, plot, tables."""
    tables = []
    for model in found:
        rows = [
            {
                "augmentation": kind["kind"],
                "test accuracy, % (95 %)": percent(kind["accuracy"]),
                "gain, points (95 %)": points(kind["gain"]) if kind["gain"] else "",
                "verdict": verdict(kind["gain"]) if kind["gain"] else "",
                "loss": f"{kind['loss']['mean']:.3f}",
                "runs": kind["accuracy"]["n"],
            }
            for kind in model["kinds"]
        ]
        tables.append(f"## {model['label']}\n\n{table(rows)}\n")
    strengths = ", ".join(
        f"`{value}`"
        for settings in KINDS.values()
        for value in settings.values()
        if "," not in value
    )
    rates = " and ".join(f"{model['learning_rate']} for {model['label']}" for model in found)
    return f"""# What does augmentation add?

**Answer:** in {epochs} epochs {"; ".join(map(answer, found))}.

![Points gained by each augmentation](results/augmentation.png)

{chr(10).join(tables)}
## How

All runs train for {epochs} epochs by SGD with Nesterov momentum 0.9, batch size 128, weight decay
0.0005, and a learning rate that falls along a cosine from {rates}. Only the augmentation differs
({strengths}). Verdicts are adjusted for all pairs of a
model's rows (Holm), and the intervals are those of single pairs. So an interval can exclude 0 where
the verdict is "not decided". Each run was scored on the test set once, and nothing was chosen by
the scores.
{how(found[0]["document"])} Every number: [results/augmentation.json](results/augmentation.json).
"""


def main() -> None:
    parser = arguments(__doc__, "augmentation")
    parser.add_argument("--models", default="v2,vgg:width=16")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    flags = parser.parse_args()
    found = [study(model, flags) for model in flags.models.split(",")]
    write_page("augmentation", page(found, flags.epochs), {"models": found}, draw(found))


if __name__ == "__main__":
    main()
