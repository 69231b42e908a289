"""What is one ReLU worth? FashionMnistModelV1 against the same network with bare logits.

    python studies/v1.py [--data DIR] [--seeds 256]

Both networks are trained from the same seeds, at three widths. A logit of V1 is dead if it is 0 for
nearly all test images of its own class. They send no gradient back through the ReLU, so nothing
raises it again.
"""

from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from common import arguments, enumerate_words, how, table, write_page
from matplotlib.figure import Figure

import fashionbench as fb
from fashionbench.core.logits import infer
from fashionbench.models.checkpoint import checkpoint_path
from fashionbench.report.entries import Entry
from fashionbench.report.numbers import pluralize, with_minus
from fashionbench.stats.difference import difference
from fashionbench.stats.intervals import summarize

WIDTHS = (10, 32, 128)
DEAD = 0.9
"""Share of its own class's images for which a dead logit is 0."""


def study(width: int, seeds: int, data: Path | None, out: Path) -> dict[str, Any]:
    """Compare V1 with the MLP at one width, and count V1's dead logits."""
    models = [f"{name}:hidden_units={width}" for name in ("v1", "mlp")]
    result = fb.compare(models, seeds=seeds, data_dir=data, out=out, parallel="stacked")
    document, (v1, mlp) = result.document.model_dump(), result.entries
    images, labels = fb.load_data(data_dir=data).test.images, result.test_set.labels
    zero = [
        infer(fb.load_model(checkpoint_path(out, run.job, run.device)), images) == 0
        for run in v1.runs
    ]
    of_own_class = [[run[labels == k, k].mean() for k in range(10)] for run in zero]
    dead = (np.array(of_own_class) > DEAD).sum(axis=1)
    alive = dead == 0
    pairs = {
        "all": difference(mlp.mark_correct(labels), v1.mark_correct(labels)),
        "alive": difference(mlp.mark_correct(labels)[alive], v1.mark_correct(labels)[alive]),
    }
    return {
        "width": width,
        "dead_logits": dead.tolist(),
        "logits_0_for_every_image": [int(run.all(axis=0).sum()) for run in zero],
        "classes_never_predicted": [len(run.dead_classes) for run in v1.runs],
        "ties": count_ties(v1, document),
        "v1": v1.accuracies,
        "mlp": mlp.accuracies,
        "differences": {
            name: {"mean": found.difference, "low": found.low, "high": found.high, "n": found.n}
            for name, found in pairs.items()
        },
        "middling": float(
            np.mean((np.array(of_own_class) > 0.1) & (np.array(of_own_class) < DEAD))
        ),
        "document": _machine(document),
    }


def count_ties(v1: Entry, document: dict[str, Any]) -> dict[str, Any]:
    """Give of each run the images with a tie, and the accuracy by three rules."""
    ties = [run.ties for run in v1.runs if run.ties is not None]
    return {
        "accuracy": v1.accuracies,
        "images": [each.images for each in ties],
        "by_chance": [each.accuracy_by_chance for each in ties],
        "by_last": [each.accuracy_by_last for each in ties],
        "document": _machine(document),
    }


def _machine(document: dict[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in ("processor", "threads", "versions", "device")}


def draw(found: list[dict[str, Any]]) -> Figure:
    """Draw accuracy over the number of dead logits, a panel for each width; the MLP at the left."""
    spread = np.random.default_rng(0)
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True)
    for axes, of_width in zip(panels, found, strict=True):
        for name, places, colour in (
            ("mlp", [-1] * len(of_width["mlp"]), "#D55E00"),
            ("v1", of_width["dead_logits"], "#0072B2"),
        ):
            jitter = spread.uniform(-0.25, 0.25, len(places))
            values = 100 * np.array(of_width[name])
            axes.plot(places + jitter, values, "o", color=colour, ms=3, alpha=0.35, mew=0)
            for place in sorted(set(places)):
                mean = values[np.array(places) == place].mean()
                axes.plot([place - 0.35, place + 0.35], [mean, mean], "-", color="black", lw=1.5)
        most = max(of_width["dead_logits"])
        axes.set_xticks([-1, *range(most + 1)], ["MLP", *map(str, range(most + 1))])
        axes.set_xlabel("dead logits of V1")
        axes.set_title(f"{of_width['width']} hidden units", loc="left", fontsize=10)
        axes.grid(axis="y", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("test accuracy, %")
    return figure


def _mean(values: list[float]) -> str:
    found = summarize(values)
    spread = f" ± {100 * found.sd:.1f}" if found.sd else ""
    return f"{100 * fmean(values):.1f}{spread}"


def _points(summary: dict[str, float]) -> str:
    mean, low, high = (round(100 * summary[key], 1) + 0.0 for key in ("mean", "low", "high"))
    return with_minus(f"{mean} ({low} to {high})")


def ties_row(width: int, ties: dict[str, Any]) -> dict[str, object]:
    """Summarize what V1's score owes to the rule for equal logits."""
    first, *others = (100 * np.array(ties[key]) for key in ("accuracy", "by_chance", "by_last"))
    moved = np.max([np.abs(other - first) for other in others], axis=0)
    return {
        "hidden units": width,
        "test images with a tie": f"{np.mean(ties['images']) / 100:.1f} %",
        "the first counts: V1, %": f"{first.mean():.1f}",
        "one by chance, %": f"{others[0].mean():.1f}",
        "the last, %": f"{others[1].mean():.1f}",
        "most that one run is moved, points": f"{moved.max():.1f}",
        "runs moved by 0.1 points or more": f"{100 * np.mean(moved >= 0.1):.0f} %",
        "runs": len(first),
    }


def page(found: list[dict[str, Any]]) -> str:
    """Write the page: question, answer, plot, tables."""
    widths = [
        {
            "hidden units": f["width"],
            "V1, %, mean ± sd": _mean(f["v1"]),
            "MLP, %, mean ± sd": _mean(f["mlp"]),
            "cost of the ReLU, points (95 %)": _points(f["differences"]["all"]),
            "cost without dead logits, points (95 %)": _points(f["differences"]["alive"]),
            "V1 runs with a dead logit": f"{100 * np.mean(np.array(f['dead_logits']) > 0):.0f} %",
            "seeds": len(f["v1"]),
        }
        for f in found
    ]
    most = max(max(f["dead_logits"]) for f in found)
    by_count = [
        {
            "dead logits": count,
            **{
                f"{f['width']} hidden units": f"{_mean(chosen)}, {pluralize(len(chosen), 'run')}"
                if chosen
                else "–"
                for f in found
                for chosen in [
                    [a for a, n in zip(f["v1"], f["dead_logits"], strict=True) if n == count]
                ]
            },
        }
        for count in range(most + 1)
    ]
    costs = ", ".join(
        f"{_points(f['differences']['all'])} at {f['width']} hidden units" for f in found
    )
    dead = enumerate_words([str(row["V1 runs with a dead logit"]) for row in widths])
    within = 100 * max(
        abs(f["differences"]["alive"][end]) for f in found for end in ("low", "high")
    )
    tied = [f for f in found if "ties" in f]
    silent = sum(np.count_nonzero(f["logits_0_for_every_image"]) for f in found)
    runs = sum(len(f["v1"]) for f in found)
    return f"""# What one ReLU is worth

FashionMnistModelV1 has a ReLU on its logits; `mlp` is the same network without it. What does that
ReLU cost, and how?

**Answer:** in points of test accuracy, with 95 % intervals: {costs}.
Dead logits cause nearly all of it: in {dead} of the runs at least one logit is 0 for the
images of its own class, and V1 takes these images for another class. Runs without a dead logit come
within {within:.1f} points of the MLP.

![Test accuracy over the number of dead logits](results/v1-study.png)

{table(widths)}

Test accuracy of V1 by the number of its dead logits:

{table(by_count)}

## Why

A logit that is below 0 before the ReLU is 0 after it and gets no gradient. If that happens for all
images of a class, these images can no longer raise their own logit, while images of other classes
for which it is still above 0 push it down. So it is all or nothing: the share of images of its own
class for which a logit is 0 is nearly always below a tenth or above nine tenths. A logit that is 0
for *every* image of the test set is rare: {silent} of {runs} runs have one.

## Ties

If all ten logits of an image are negative before the ReLU, all are 0 after it, and no class is
ahead of the others. fashionbench lets the first of the equal classes count; other programs take
another one ([why](statistics.md#choices)). V1's score depends on that rule as follows:

{table([ties_row(f["width"], f["ties"]) for f in tied])}

The rule moves the mean of all runs by less than the ReLU costs, and a single run by up to ten
points: two programs that score the same weights can differ by that much. This table is of runs of
its own, from the same seeds, trained by the C kernels. {how(tied[0]["ties"]["document"])}

## How

Both networks train from the same {len(found[0]["v1"])} seeds, with the same first weights and the
same order of images, by the recipe `default`: three epochs of SGD with learning rate 0.1 and
batches of 32. A logit counts as dead
if it is exactly 0 for more than {100 * DEAD:.0f} % of the test
images of its class. The column "cost without dead logits" compares V1 with the MLP over the seeds
for which V1 kept all ten logits alive. V1's own results select these seeds, so the column
describes these runs and predicts nothing. Each run was scored on the test set once, and nothing
was chosen by the scores. {how(found[0]["document"])} Every number:
[results/v1-study.json](results/v1-study.json).
"""


def main() -> None:
    parser = arguments(__doc__, "v1-study")
    parser.add_argument("--seeds", type=int, default=256)
    flags = parser.parse_args()
    found = [study(width, flags.seeds, flags.data, flags.out) for width in WIDTHS]
    write_page("v1-study", page(found), {"widths": found}, draw(found))


if __name__ == "__main__":
    main()
