"""Which optimizer trains which model best, if each has its own best learning rate?

    python studies/optimizers.py [--data DIR] [--models v0,mlp,v2]

For each model and optimizer, 5,000 validation images choose the learning rate: a search on a grid
moves from the optimizer's usual rate to either side while the accuracy rises. Then each is
trained on all 60,000 images and compared on the test set.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    VALIDATION_IMAGES,
    arguments,
    how,
    percent,
    table,
    validation_accuracy,
    write_page,
)
from matplotlib.figure import Figure

import fashionbench as fb
from fashionbench.config.optimizers import OPTIMIZERS
from fashionbench.data.split import Dataset

GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
KINDS: dict[str, dict[str, Any]] = {
    "SGD": {"optimizer": "sgd"},
    "SGD+momentum": {"optimizer": "sgd", "momentum": 0.9},
    "Adam": {"optimizer": "adam"},
    "AdamW": {"optimizer": "adamw", "weight_decay": 0.01},
    "RMSprop": {"optimizer": "rmsprop"},
    "Muon": {"optimizer": "muon"},
}
SEEDS = {"v0": 20, "mlp": 20, "v2": 5}
TUNING_SEEDS = {"v0": range(100, 105), "mlp": range(100, 105), "v2": range(100, 101)}
"""Not the seeds of the comparison, for which the rates would then have been chosen."""


class Tuning:
    """Validation accuracies by model, optimizer and rate, kept in a file."""

    def __init__(self, path: Path, data: Dataset) -> None:
        self.path, self.data = path, data
        self.found = json.loads(path.read_text()) if path.exists() else {}

    def score(self, model: str, kind: str, rate: float) -> float:
        key = f"{model} | {kind} | {rate:g}"
        if key not in self.found:
            recipe = recipe_of(kind, rate)
            self.found[key] = validation_accuracy(model, recipe, TUNING_SEEDS[model], self.data)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.found, indent=1))
            print(key, f"{self.found[key]:.4f}", flush=True)
        return float(self.found[key])

    def best_rate(self, model: str, kind: str) -> float:
        """Return the rate that no neighbor on the grid improves, climbing from the usual one."""
        usual = OPTIMIZERS[KINDS[kind]["optimizer"]].learning_rate
        top = min(range(len(GRID)), key=lambda index: abs(GRID[index] / usual - 1))
        for side in (-1, 1):
            while 0 <= top + side < len(GRID) and self.score(
                model, kind, GRID[top + side]
            ) > self.score(model, kind, GRID[top]):
                top += side
        return GRID[top]


def recipe_of(kind: str, rate: float) -> fb.Recipe:
    recipe = fb.load_recipe("default").override(**KINDS[kind], learning_rate=rate)
    return recipe.renamed(kind)


def study(model: str, tuning: Tuning, data: Path | None, out: Path) -> dict[str, Any]:
    """Tune each optimizer for one model and compare them."""
    rates = {kind: tuning.best_rate(model, kind) for kind in KINDS}
    recipes = [recipe_of(kind, rate) for kind, rate in rates.items()]
    result = fb.compare(
        [model], seeds=SEEDS[model], recipes=recipes, data_dir=data, out=out / model
    )
    entries = {entry.recipe: entry for entry in result.entries}
    best = max(entries, key=lambda kind: np.mean(entries[kind].accuracies))
    words = {}
    for pair in result.pairs:
        names = [pair.first.recipe, pair.second.recipe]
        if best in names:
            names.remove(best)
            words[names[0]] = pair.verdict.word
    document = result.document.model_dump()
    return {
        "model": model,
        "label": document["entries"][0]["label"],
        "best": best,
        "document": {key: document[key] for key in ("processor", "threads", "versions", "device")},
        "optimizers": [
            {
                "kind": entry["recipe"],
                "learning_rate": rates[entry["recipe"]],
                "accuracy": entry["accuracy"],
                "loss": entry["loss"],
                "accuracies": [run["accuracy"] for run in entry["runs"]],
                "differs_from_best": words.get(entry["recipe"]) in ("better", "worse"),
            }
            for entry in document["entries"]
        ],
        "tuning": {key: value for key, value in tuning.found.items() if key.startswith(model)},
    }


def draw(found: list[dict[str, Any]]) -> Figure:
    """Draw a row of points for each optimizer, a panel for each model."""
    figure = Figure(figsize=(9.5, 3.2), layout="constrained")
    for axes, model in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        for row, optimizer in enumerate(model["optimizers"]):
            values = 100 * np.array(optimizer["accuracies"])
            axes.plot(values, [row] * len(values), "o", color="#0072B2", alpha=0.5, ms=5, mew=0)
            axes.plot(values.mean(), row, "d", color="black", ms=5)
        axes.set_yticks(range(len(KINDS)), KINDS if axes.get_subplotspec().is_first_col() else "")
        axes.invert_yaxis()
        axes.set_title(model["label"], loc="left", fontsize=10)
        axes.set_xlabel("test accuracy, %")
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def answer(model: dict[str, Any]) -> str:
    """Say which is best, and which are not measurably worse."""
    equal = [
        optimizer["kind"]
        for optimizer in model["optimizers"]
        if optimizer["kind"] != model["best"] and not optimizer["differs_from_best"]
    ]
    if not equal:
        return f"{model['best']} trains {model['label']} best"
    others = f"{', '.join(equal[:-1])} and {equal[-1]}" if equal[1:] else equal[0]
    return (
        f"{model['best']} comes first for {model['label']}, but cannot be separated from {others}"
    )


def page(found: list[dict[str, Any]]) -> str:
    """Write the page: question, answer, plot, tables."""
    tables = []
    for model in found:
        rows = [
            {
                "optimizer": optimizer["kind"],
                "learning rate": f"{optimizer['learning_rate']:g}",
                "test accuracy, % (95 %)": percent(optimizer["accuracy"]),
                "loss": f"{optimizer['loss']['mean']:.3f}",
                "runs": optimizer["accuracy"]["n"],
                "against the best": "the best"
                if optimizer["kind"] == model["best"]
                else ("worse" if optimizer["differs_from_best"] else "not separable"),
            }
            for optimizer in model["optimizers"]
        ]
        tables.append(f"## {model['label']}\n\n{table(rows)}\n")
    return f"""# Which optimizer is best, each at its own best learning rate?

**Answer:** {"; ".join(map(answer, found))} (three epochs, batches of 32, constant learning rate).

![Test accuracy of every run, by optimizer and model](results/optimizers.png)

{chr(10).join(tables)}
## How

{VALIDATION_IMAGES:,} validation images chose the learning rate of each optimizer and model, on
the grid {", ".join(f"{rate:g}" for rate in GRID)}. The search started at the optimizer's usual
rate and moved on while the next rate was better, by the mean of {len(TUNING_SEEDS["v0"])} seeds
for the small models and by one seed for the CNN; none of them is a seed of the comparison. The
comparison trained on all 60,000 images, scored each run on the test set once, and chose nothing
by the scores. "Not separable" means a p-value above 5 % after Holm's correction for all pairs of
a model. SGD+momentum has momentum 0.9, and AdamW weight decay 0.01. Muon updates matrices only
and leaves the other parameters to AdamW. {how(found[0]["document"])} Every number:
[results/optimizers.json](results/optimizers.json).
"""


def main() -> None:
    parser = arguments(__doc__, "optimizers")
    parser.add_argument("--models", default=",".join(SEEDS), help="which of v0, mlp, v2")
    flags = parser.parse_args()
    tuning = Tuning(flags.out / "tuning.json", fb.load_data(data_dir=flags.data))
    found = [study(model, tuning, flags.data, flags.out) for model in flags.models.split(",")]
    write_page("optimizers", page(found), {"models": found}, draw(found))


if __name__ == "__main__":
    main()
