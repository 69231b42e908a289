"""Is the order of the three models the same if each has its best learning rate?

    python studies/three_tuned.py [--data DIR]

Five studies of six trials each choose the rate of each model on validation images. Then each is
trained from ten seeds at the recipe's rate and at the chosen ones, and compared on the test set.
"""

from collections import defaultdict
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from common import arguments, how, percent, table, write_page
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fashionbench as fb
from fashionbench.report.numbers import format_interval, format_percent, format_points
from fashionbench.report.style import COLORS
from fashionbench.report.tuning_document import GainSummary

MODELS = ("v0", "v1", "v2")
STUDIES, TRIALS, SEEDS = 5, 30, 10
GUESSING = 2.4
"""Losses above it are drawn at it."""

Document = Mapping[str, Any]


def entries_of(document: Document, tuned: Document) -> tuple[Document, Document]:
    """Return the row of a tuned model as it is, and the tuned one."""
    rows = {(entry["model"], entry["recipe"]): entry for entry in document["entries"]}
    return rows[tuned["model"], tuned["recipe"]], rows[tuned["model"], tuned["tuned"]]


def draw(document: Document) -> Figure:
    """Draw losses over the rate, and accuracies as they are and tuned."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    labels = []
    for index, tuned in enumerate(document["tuning"]["entries"]):
        color = COLORS[index]
        rows = entries_of(document, tuned)
        labels.append(rows[0]["label"])
        draw_losses(losses, tuned, labels[-1], color)
        for entry, fill, shift in zip(rows, ("white", color), (-0.14, 0.14), strict=True):
            low, mean, high = (100 * entry["accuracy"][key] for key in ("low", "mean", "high"))
            values = [100 * run["accuracy"] for run in entry["runs"]]
            accuracies.plot(values, [index + shift] * len(values), "|", color=color, alpha=0.6)
            accuracies.plot([low, high], [index + shift] * 2, "-", color=color)
            accuracies.plot(mean, index + shift, "o", color=color, mfc=fill, ms=7)
    losses.set(xscale="log", xlabel="learning rate", ylabel="validation loss, nats")
    losses.axvline(0.1, color="black", lw=1, ls=":")
    losses.legend(frameon=False)
    accuracies.set_yticks(range(len(labels)), labels)
    accuracies.invert_yaxis()
    accuracies.set_xlabel("test accuracy, % (hollow: as it is, filled: tuned)")
    for axes in (losses, accuracies):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_losses(axes: Axes, tuned: Document, label: str, color: str) -> None:
    """Draw the mean loss at each rate, a cross above where runs failed, and the stable range."""
    at_rate: dict[float, list[float]] = defaultdict(list)
    for run in tuned["tuning_runs"]:
        loss = run["loss"] if run["outcome"] == "ok" else GUESSING
        at_rate[run["settings"]["learning_rate"]].append(min(loss, GUESSING))
    rates = sorted(at_rate)
    means = [fmean(at_rate[rate]) for rate in rates]
    axes.plot(rates, means, "o-", color=color, ms=3, lw=1, label=label)
    if tuned["stable"] is not None:
        axes.axvspan(*tuned["stable"].values(), color=color, alpha=0.12, lw=0)


def say_rates(tuned: Document) -> str:
    """Name the rates that the studies chose."""
    if all(choice["as_it_is"] for choice in tuned["choices"]):
        return "as it is"
    return ", ".join(
        f"{choice['settings']['learning_rate']:g}{' (as it is)' if choice['as_it_is'] else ''}"
        for choice in tuned["choices"]
    )


def answer(document: Document) -> str:
    """Say whether the order holds, and what tuning moves."""
    names = {f"{tuned['model']} tuned" for tuned in document["tuning"]["entries"]}
    pairs = [pair for pair in document["pairs"] if {pair["a"], pair["b"]} <= names]
    words = "; ".join(f"{pair['a']} against {pair['b']}, {pair['in_words']}" for pair in pairs)
    gains = "; ".join(
        f"{tuned['model']} by {format_points(tuned['gain']['mean'])} points "
        f"({tuned['gain']['in_words']})"
        for tuned in document["tuning"]["entries"]
    )
    return f"{document['tuning']['order']} Verdicts: {words}. Tuning moves {gains}."


def rows_of(document: Document) -> list[dict[str, object]]:
    """Return a row of the table for each model."""
    rows: list[dict[str, object]] = []
    for tuned in document["tuning"]["entries"]:
        as_it_is, best = entries_of(document, tuned)
        gain = GainSummary.model_validate(tuned["gain"])
        within = "" if gain.low is None else f" ({format_interval(gain)})"
        stable = tuned["stable"]
        deviations = (tuned["sd_between_studies"], tuned["sd_between_seeds"])
        rows.append(
            {
                "model": as_it_is["label"],
                "as it is, % (95 %)": percent(as_it_is["accuracy"]),
                "tuned, % (95 %)": percent(best["accuracy"]),
                "gain, points (95 %)": f"{format_points(gain.mean)}{within}",
                "chosen rates": say_rates(tuned),
                "stable rates": f"{stable['low']:.2g} to {stable['high']:.2g}" if stable else "–",
                "sd between studies, between seeds": ", ".join(map(format_percent, deviations)),
                "trials": tuned["runs"],
            }
        )
    return rows


def page(document: Document) -> str:
    """Write the page: question, answer, plot, table."""
    studies, trials = document["tuning"]["studies"], document["tuning"]["trials"]
    seeds = len(document["seeds"])
    return f"""# Is the order of the three models the same at each one's best learning rate?

**Answer:** {answer(document)}

![Validation loss over the learning rate, and accuracy as it is and tuned](results/three-tuned.png)

{table(rows_of(document))}

*Shaded in the plot: the stable rates, around the best, whose losses are at most a tenth above the
lowest. The dotted line is the recipe's rate.*

## How

A [tuned comparison](tuning.md): {studies} studies of {trials // studies} trials each chose the
learning rate of each model between 1/32 and 32 times 0.1, by the loss on 6,000 validation images.
Then each model was trained on all 60,000 images from {seeds} seeds as it is, and from the same
seeds at the chosen rates, {seeds // studies} seeds a study. Each run was scored on the test set
once, and nothing was chosen by these scores. Intervals of tuned rows and of gains are over studies
and hold the luck of choosing. All models train for three epochs of plain SGD in batches of 32, as
in the recipe `default`; with more epochs other rates may be best. {how(document)} Every number and
every trial: [results/three-tuned.json](results/three-tuned.json).
"""


def main() -> None:
    flags = arguments(__doc__, "three-tuned").parse_args()
    result = fb.compare(
        MODELS,
        seeds=SEEDS,
        tune="lr",
        trials=TRIALS,
        studies=STUDIES,
        data_dir=flags.data,
        out=flags.out,
    )
    document = result.document.model_dump(mode="json")
    write_page("three-tuned", page(document), {"comparison": document}, draw(document))


if __name__ == "__main__":
    main()
