"""What is the luck of a seed made of: the first weights, the order of the images, or both?

    python studies/luck.py [--data DIR] [--models v0,v1,mlp,v2,vgg-tiny]

From each seed three runs: one in which it fixes everything, one in which it fixes the order of the
images alone, and one in which it fixes the first weights alone. What two of them share makes their
accuracies go together: the covariance is the part of the variance that comes from it (pick-freeze,
Sobol 1993). By a constant rate, one that falls to zero, and running means of the last weights.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, how, table, write_page
from matplotlib.figure import Figure
from numpy.typing import NDArray

import fashionbench as fb
from fashionbench.report.numbers import with_minus
from fashionbench.stats.intervals import error_of_test_set, expected_sd

SEEDS = {"v0": 100, "v1": 100, "mlp": 100, "v2": 100, "vgg-tiny": 40}
RECIPES: dict[str, dict[str, Any]] = {
    "constant rate": {},
    "falling rate": {"schedule": "linear"},
    "averaged weights": {"ema": 0.999},
}
VARIED = ("all", "order", "weights")
SOURCES = {"order": "the order of the images", "weights": "the first weights"}
PARTS = {"order": "#0072B2", "weights": "#D55E00", "both": "#999999"}
DRAWS = 2000

Floats = NDArray[np.float64]


def study(model: str, data: Path | None, out: Path) -> list[dict[str, Any]]:
    """Take the variance of one model's accuracy apart, by each recipe."""
    default = fb.load_recipe("default")
    recipes = [default.override(**changes).renamed(name) for name, changes in RECIPES.items()]
    # Seed 0 is the one that holds what does not vary.
    seeds = range(1, SEEDS[model] + 1)
    results = {
        vary: fb.compare(
            [model],
            recipes=recipes,
            seeds=seeds,
            vary=vary,
            data_dir=data,
            out=out / model,
            parallel="stacked",
        )
        for vary in VARIED
    }
    document = results["all"].document.model_dump()
    labels = results["all"].test_set.labels
    rows = []
    for position, name in enumerate(RECIPES):
        entries = {vary: result.entries[position] for vary, result in results.items()}
        accuracies = {vary: entry.accuracies for vary, entry in entries.items()}
        correct = entries["all"].mark_correct(labels)[mark_sound(accuracies)]
        rows.append(
            {
                "model": model,
                "label": entries["all"].label,
                "recipe": name,
                "accuracies": accuracies,
                "expected_sd": expected_sd(correct),
                "test_images_sd": float(np.mean([error_of_test_set(run[None]) for run in correct])),
                "document": {
                    key: document[key] for key in ("processor", "threads", "versions", "device")
                },
            }
        )
    return rows


def find_collapsed(accuracies: dict[str, list[float]]) -> NDArray[np.bool_]:
    """Mark, (3, S), the runs that call all test images the same: each class is a tenth of them."""
    return np.isclose([accuracies[vary] for vary in VARIED], 0.1)


def mark_sound(accuracies: dict[str, list[float]]) -> NDArray[np.bool_]:
    """Mark, (S,), the seeds from which no run collapsed."""
    return np.asarray(~find_collapsed(accuracies).any(axis=0))


def sound(row: dict[str, Any]) -> dict[str, Floats]:
    """Return the accuracies of the seeds from which no run collapsed."""
    kept = mark_sound(row["accuracies"])
    return {vary: np.array(row["accuracies"][vary])[kept] for vary in VARIED}


def shares(every: Floats, order: Floats, weights: Floats) -> dict[str, Floats]:
    """Divide the variance of (..., S) accuracies into what each source brings, as shares of it."""
    total = every.var(axis=-1, ddof=1)
    parts = {"order": _covary(every, order) / total, "weights": _covary(every, weights) / total}
    return parts | {"both": 1 - parts["order"] - parts["weights"]}


def _covary(one: Floats, other: Floats) -> Floats:
    centred = [values - values.mean(axis=-1, keepdims=True) for values in (one, other)]
    return np.asarray((centred[0] * centred[1]).sum(axis=-1) / (one.shape[-1] - 1))


def correlate(one: Floats, other: Floats) -> Floats:
    """Return Pearson's correlation over the last axis."""
    return np.asarray(_covary(one, other) / (one.std(axis=-1, ddof=1) * other.std(axis=-1, ddof=1)))


def estimate(row: dict[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Give shares and correlations with 95 % intervals by a bootstrap over seeds."""
    runs = [sound(row)[vary] for vary in VARIED]
    drawn = np.random.default_rng(0).integers(0, len(runs[0]), (DRAWS, len(runs[0])))
    found = {}
    resampled = dict(_estimates(*(values[drawn] for values in runs)))
    for name, value in _estimates(*runs):
        low, high = np.quantile(resampled[name], (0.025, 0.975))
        found[name] = (float(value), float(low), float(high))
    return found


def _estimates(every: Floats, order: Floats, weights: Floats) -> list[tuple[str, Floats]]:
    return [
        *shares(every, order, weights).items(),
        ("same order", correlate(every, order)),
        ("same weights", correlate(every, weights)),
    ]


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Draw the sd of every model and recipe, and its parts as areas of the variance."""
    figure = Figure(figsize=(9.5, 1.1 + 0.4 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    places = range(len(rows))
    marks = {"all": ("D", "black"), "order": ("o", "#0072B2"), "weights": ("s", "#D55E00")}
    for place, row in zip(places, rows, strict=True):
        found, start = estimate(row), 0.0
        for vary, (marker, color) in marks.items():
            sd = 100 * np.std(sound(row)[vary], ddof=1)
            name = "all varies" if vary == "all" else f"the {vary} alone"
            left.plot(sd, place, marker, color=color, ms=5, label=None if place else name)
        equal = None if place else "runs equally good"
        left.plot(100 * row["expected_sd"], place, "|", color="black", ms=14, label=equal)
        for part, color in PARTS.items():
            share = max(0.0, 100 * found[part][0])
            name = f"{part} together" if part == "both" else f"{part} alone"
            right.barh(place, share, left=start, color=color, label=None if place else name)
            start += share
    left.set_yticks(places, [f"{row['label']}, {row['recipe']}" for row in rows])
    left.invert_yaxis()
    left.set_xscale("log")
    left.set_xlabel("sd over seeds, points")
    right.set_xlabel("share of the variance, %")
    for axes in (left, right):
        axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize=8)
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _points(value: float) -> str:
    return f"{100 * value:.2f}"


def _sd(row: dict[str, Any], vary: str = "all") -> str:
    return _points(float(np.std(sound(row)[vary], ddof=1)))


def _share(values: tuple[float, float, float]) -> str:
    share, low, high = (100 * value for value in values)
    return with_minus(f"{share:z.0f} % ({low:z.0f} to {high:z.0f})")


def _correlation(values: tuple[float, float, float]) -> str:
    value, low, high = values
    return with_minus(f"{value:z.2f} ({low:z.2f} to {high:z.2f})")


def _join(words: Sequence[str]) -> str:
    """Write several as one: a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def spread_row(row: dict[str, Any]) -> dict[str, object]:
    """Write how far runs scatter, beside what test images alone would do."""
    return {
        "model": row["label"],
        "recipe": row["recipe"],
        "accuracy, %": f"{100 * np.mean(sound(row)['all']):.2f}",
        **{
            f"sd, {name}": _sd(row, vary)
            for vary, name in zip(
                VARIED, ("everything varies", "the order", "the weights"), strict=True
            )
        },
        "if runs were equally good": _points(row["expected_sd"]),
        "one run on other test images": _points(row["test_images_sd"]),
        "runs collapsed": f"{find_collapsed(row['accuracies']).sum()} of "
        f"{3 * len(row['accuracies']['all'])}",
        "seeds": len(sound(row)["all"]),
    }


def share_row(row: dict[str, Any]) -> dict[str, object]:
    """Write what the variance is made of."""
    found = estimate(row)
    return {
        "model": row["label"],
        "recipe": row["recipe"],
        "order alone": _share(found["order"]),
        "weights alone": _share(found["weights"]),
        "both together": _share(found["both"]),
        "same order, other weights": _correlation(found["same order"]),
        "same weights, other order": _correlation(found["same weights"]),
    }


def say_source(rows: list[dict[str, Any]], recipe: str) -> str:
    """Say by one recipe of every model what its luck is made of: what has a share for certain."""
    models: dict[str, list[str]] = {}
    for row in (row for row in rows if row["recipe"] == recipe):
        found = estimate(row)
        named = [part for part in SOURCES if found[part][1] > 0]
        words = "both" if len(named) == 2 else SOURCES[named[0]] if named else "undecided"
        models.setdefault(words, []).append(f"`{row['model']}`")
    of = [f"{words} for {_join(named)}" for words, named in models.items()]
    return f"With a {recipe} it is {_join(of)}."


def answer(rows: list[dict[str, Any]], model: str) -> str:
    """Say of one model how far runs scatter by each recipe, and what of that is the order."""
    own = [row for row in rows if row["model"] == model]
    sds = [f"{_sd(row)} points {_with(row)}" for row in own]
    equal = [_points(row["expected_sd"]) for row in own]
    found = estimate(own[0])
    collapsed = [
        f"{n} {_with(row)}" for row in own if (n := find_collapsed(row["accuracies"]).sum())
    ]
    of = f"{3 * len(own[0]['accuracies']['all'])} runs"
    said = f" Of {of} each, {_join(collapsed)} collapsed." if collapsed else ""
    return (
        f"- **{own[0]['label']}**: the sd over seeds is {_join(sds)}; if runs were equally good it "
        f"would be {_join(equal)}. {_with(own[0]).capitalize()}, the order alone makes "
        f"{_share(found['order'])} of the variance and the first weights alone "
        f"{_share(found['weights'])}.{said}"
    )


def _with(row: dict[str, Any]) -> str:
    recipe = row["recipe"]
    return f"with a {recipe}" if recipe.endswith("rate") else f"with {recipe}"


def same_order(rows: list[dict[str, Any]]) -> str:
    """Say how far the accuracies of two models from the same seeds go together."""
    constant = {row["model"]: row for row in rows if row["recipe"] == "constant rate"}
    if not {"v0", "mlp"} <= constant.keys():
        return ""
    runs = [sound(constant[model])["all"] for model in ("v0", "mlp")]
    if len(runs[0]) != len(runs[1]):
        return ""
    return (
        f" Here V0 and the MLP, which have\n  different first weights, correlate at "
        f"{with_minus(f'{float(correlate(*runs)):z.2f}')} over seeds."
    )


def page(rows: list[dict[str, Any]]) -> str:
    """Write the page: question, answer, plot, tables."""
    answers = "\n".join(answer(rows, model) for model in dict.fromkeys(r["model"] for r in rows))
    return f"""# What is the luck of a seed made of?

A seed fixes the first weights and the order of the images. Which of the two makes one seed's
accuracy better than another's?

**Answer:** that differs from model to model, and with the rate.
{say_source(rows, "constant rate")}
{say_source(rows, "falling rate")}
Undecided is what the seeds are too few to tell. How far runs scatter differs as much. What scatters
in V1 is [how many classes it loses](v1-study.md).

{answers}

![Spread over seeds and what it is made of](results/luck.png)

## How far runs scatter

Standard deviations of test accuracy in points. *If runs were equally good* is the sd that remains
if runs differ only by chance in which images they get right ([Jordan
2023](https://arxiv.org/abs/2304.01910)): of seeds that scatter no further, none is a better model
than another. *One run on other test images* is the sd of a single run's accuracy over other sets
of as many test images. A run that collapsed calls all images the same, and one such run would be
most of a variance. So collapsed runs are counted, and all else, here and below, is said of the
seeds from which none of the three runs collapsed.

{table([spread_row(row) for row in rows])}

## What it is made of

Shares of the variance, with 95 % intervals by a bootstrap over seeds; as estimates they may lie
below 0 or above 100 %. *Both together* is what neither explains alone: an order that suits some
first weights and not others. The last two columns are correlations over seeds between runs that
share the one and differ in the other.

{table([share_row(row) for row in rows])}

## What follows

- What the luck of a seed is made of cannot be said without the model and the recipe. An interval
  over seeds holds all of it: it is not about other first weights alone.
- Models that are compared with the same seeds see the images in the same order, so that their
  differences scatter less than they do.{same_order(rows)}
- A spread of a point over seeds need not be a property of the model: where it is the order, let
  the rate fall (`--schedule linear`) or average the weights (`--ema 0.999`) before you spend
  seeds on a small difference.
- `fashionbench compare --vary order` and `--vary weights` take the luck of your own model apart.

## How

From each seed three runs were made: one in which the seed fixes everything, one in which it fixes
the order alone (`--vary order`) and one in which it fixes the first weights alone (`--vary
weights`); what does not vary is that of seed 0. The covariance of two runs of a seed is the part
of the variance that comes from what they share (pick-freeze, Sobol 1993). All by the recipe
`default`: three epochs of SGD with learning rate 0.1 and batches of 32; *falling rate* is
`--schedule linear`, *averaged weights* `--ema 0.999`. Each run was scored on the test set once,
and nothing was chosen by the scores. {how(rows[0]["document"])} Every number:
[results/luck.json](results/luck.json).
"""


def main() -> None:
    parser = arguments(__doc__, "luck")
    parser.add_argument("--models", default=",".join(SEEDS), help=f"which of {', '.join(SEEDS)}")
    flags = parser.parse_args()
    rows = [row for model in flags.models.split(",") for row in study(model, flags.data, flags.out)]
    write_page("luck", page(rows), {"rows": rows}, draw(rows))


if __name__ == "__main__":
    main()
