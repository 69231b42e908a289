"""How long is worth training, and does early stopping help?

    python studies/epochs.py [--data DIR] [--models v0,mlp,v2] [--epochs 50]

The learning rate is constant, so the validation score of a run of 50 epochs after each of them is
what a shorter run ends with. The same recipe with early stopping by the validation loss is
compared with it.
"""

from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import VALIDATION_IMAGES, arguments, how, percent, points, table, write_page
from matplotlib.figure import Figure
from numpy.typing import NDArray

import fashionbench as fb
from fashionbench.report.entries import Entry
from fashionbench.report.numbers import format_points
from fashionbench.stats.intervals import summarize

SEEDS = {"v0": 20, "mlp": 20, "v2": 5}
PATIENCE = 5


def study(model: str, epochs: int, data: Path | None, out: Path) -> dict[str, Any]:
    """Compare one model with and without early stopping."""
    default = fb.load_recipe("default")
    whole = default.override(epochs=epochs, validation_images=VALIDATION_IMAGES)
    stopped = whole.override(patience=PATIENCE)
    recipes = [whole.renamed("whole"), stopped]
    result = fb.compare(
        [model], seeds=SEEDS[model], recipes=recipes, data_dir=data, out=out / model
    )
    first, second = result.entries
    (pair,) = result.pairs
    document = result.document.model_dump()
    losses, accuracies = curves(first)
    return {
        "model": model,
        "label": first.label,
        "validation_loss": losses.tolist(),
        "validation_accuracy": accuracies.tolist(),
        "whole": {key: document["entries"][0][key] for key in ("accuracy", "loss")},
        "stopped": {key: document["entries"][1][key] for key in ("accuracy", "loss")},
        "stopped_after": [run.epochs for run in second.runs],
        "best_epoch": [run.best_epoch for run in second.runs],
        "gain": {
            "mean": -pair.found.difference,
            "low": -pair.found.high,
            "high": -pair.found.low,
        },
        "document": {key: document[key] for key in ("processor", "threads", "versions", "device")},
    }


def curves(entry: Entry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (S, E) validation losses and accuracies, of each seed after each epoch."""
    both = np.array([[point[1:] for point in run.validation_curve] for run in entry.runs])
    return both[..., 0], both[..., 1]


def draw(found: list[dict[str, Any]]) -> Figure:
    """Draw validation accuracy and loss over epochs: the mean and all seeds of each model."""
    figure = Figure(figsize=(9.5, 5), layout="constrained")
    panels = figure.subplots(2, len(found), sharex=True, squeeze=False)
    for column, model in zip(panels.T, found, strict=True):
        for axes, key, factor in zip(
            column, ("validation_accuracy", "validation_loss"), (100, 1), strict=True
        ):
            values = factor * np.array(model[key])
            epochs = np.arange(1, values.shape[1] + 1)
            axes.plot(epochs, values.T, color="#0072B2", alpha=0.15, lw=0.8)
            axes.plot(epochs, values.mean(axis=0), color="black", lw=1.5)
            axes.axvline(median(model["best_epoch"]), color="#D55E00", lw=1, ls="--")
            low, high = np.quantile(values[:, 1:], (0.01, 0.99))
            axes.set_ylim(low - 0.02 * factor, high + 0.02 * factor)
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        column[0].set_title(model["label"], loc="left", fontsize=10)
        column[1].set_xlabel("epochs")
    panels[0, 0].set_ylabel("validation accuracy, %")
    panels[1, 0].set_ylabel("validation loss")
    return figure


def settled(model: dict[str, Any]) -> int:
    """Return the first epoch whose validation loss is not measurably above the lowest one.

    Compared seed by seed with the epoch of the lowest mean, with a 95 % interval.
    """
    losses = np.array(model["validation_loss"])
    excess = losses - losses[:, [losses.mean(axis=0).argmin()]]
    return next(
        epoch for epoch, over in enumerate(excess.T, 1) if (summarize(over.tolist()).low or 0) <= 0
    )


def row(model: dict[str, Any]) -> dict[str, object]:
    accuracies = 100 * np.mean(model["validation_accuracy"], axis=0)
    after = model["stopped_after"]
    return {
        "model": model["label"],
        "validation accuracy after 3 epochs, %": f"{accuracies[2]:.1f}",
        "highest, %": f"{accuracies.max():.1f}",
        "no gain after epoch": settled(model),
        f"test accuracy after {len(accuracies)}, % (95 %)": percent(model["whole"]["accuracy"]),
        "with early stopping, % (95 %)": percent(model["stopped"]["accuracy"]),
        "gain of early stopping, points (95 %)": points(model["gain"]),
        "test loss, without and with early stopping": f"{model['whole']['loss']['mean']:.3f}, "
        f"{model['stopped']['loss']['mean']:.3f}",
        "stopped after epoch": f"{median(after):g} ({min(after)} to {max(after)})",
        "runs": len(after),
    }


def answer(model: dict[str, Any]) -> str:
    whole, early = (model[name]["loss"]["mean"] for name in ("whole", "stopped"))
    return (
        f"{model['label']} shows no gain after {settled(model)} epochs, and early stopping "
        f"changes its test accuracy by {format_points(model['gain']['mean'])} points and its test "
        f"loss from {whole:.2f} to {early:.2f}"
    )


def page(found: list[dict[str, Any]]) -> str:
    """Write the page: question, answer, plot, table."""
    answers = "; ".join(map(answer, found))
    return f"""# How long is worth training, and does early stopping help?

**Answer:** at the constant learning rate of the recipe `default`, {answers}.

![Validation accuracy and loss over epochs; dashed: the best by early stopping](results/epochs.png)

{table([row(model) for model in found])}

## How

All runs train by the recipe `default` for {len(found[0]["validation_loss"][0])} epochs on 55,000
images, and are scored on {VALIDATION_IMAGES:,} validation images after each epoch. A model shows
no gain after the first epoch whose validation loss is not measurably above the lowest one,
compared seed by seed. Early stopping ends a run after {PATIENCE} epochs without a lower
validation loss and takes the weights of its best epoch. Each run was scored on the test set once,
and nothing was chosen by the scores. {how(found[0]["document"])} Every number:
[results/epochs.json](results/epochs.json).
"""


def main() -> None:
    parser = arguments(__doc__, "epochs")
    parser.add_argument("--models", default=",".join(SEEDS), help="which of v0, mlp, v2")
    parser.add_argument("--epochs", type=int, default=50)
    flags = parser.parse_args()
    found = [study(model, flags.epochs, flags.data, flags.out) for model in flags.models.split(",")]
    write_page("epochs", page(found), {"models": found}, draw(found))


if __name__ == "__main__":
    main()
