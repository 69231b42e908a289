"""Which optimizer trains which model best, if each has its own best learning rate?

    python studies/optimizers.py [--data DIR] [--models v0,mlp,v1,v2]

A tuned comparison: every optimizer has the same trials of its learning rate, at the same multiples
of its usual one, in studies that choose on their own. Then each is trained on all 60,000 images and
compared on the test set. The page also says which sentences of an earlier study survive, whose
search climbed a grid from the usual rate, with one seed a point for v2.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import arguments, enumerate_words, how, percent, table, write_page
from matplotlib.figure import Figure

import fashionbench as fb
from fashionbench.report.entries import Entry, Pair
from fashionbench.report.numbers import format_points

KINDS: dict[str, dict[str, Any]] = {
    "SGD": {"optimizer": "sgd"},
    "SGD+momentum": {"optimizer": "sgd", "momentum": 0.9},
    "Adam": {"optimizer": "adam"},
    "AdamW": {"optimizer": "adamw", "weight_decay": 0.01},
    "RMSprop": {"optimizer": "rmsprop"},
    "Muon": {"optimizer": "muon"},
}


class Budget(NamedTuple):
    """What each optimizer is given for a model."""

    studies: int
    trials: int
    seeds: int


BUDGETS = {
    "v0": Budget(5, 25, 10),
    "mlp": Budget(5, 25, 10),
    "v1": Budget(5, 25, 10),
    "v2": Budget(1, 8, 5),
}

EARLIER = {
    "v0": ("Muon", ()),
    "mlp": ("Muon", ()),
    "v2": ("Muon", ("SGD+momentum", "Adam", "AdamW", "RMSprop")),
}
"""Of each model what came first in the earlier study, and what could not be separated from it."""


BEST, WORSE, LEFT_OPEN = "the best", "worse", "in part"


def study(model: str, data: Path | None, out: Path) -> dict[str, Any]:
    """Tune each optimizer for one model and compare them."""
    budget = BUDGETS[model]
    recipes = [
        fb.load_recipe("default").override(**kind).renamed(name) for name, kind in KINDS.items()
    ]
    result = fb.compare(
        [model],
        recipes=recipes,
        seeds=budget.seeds,
        tune="lr",
        trials=budget.trials,
        studies=budget.studies,
        data_dir=data,
        out=out / model,
    )
    rows = {row.as_it_is.recipe: row for row in result.tuned_rows}
    best = max(rows, key=lambda kind: np.mean(rows[kind].tuned.accuracies))
    pairs = [pair for pair in result.pairs if pair.first.tuned and pair.second.tuned]
    usual = [pair for pair in result.pairs if not (pair.first.tuned or pair.second.tuned)]
    best_as_it_is = max(rows, key=lambda kind: np.mean(rows[kind].as_it_is.accuracies))
    document = result.document.model_dump(mode="json")
    return {
        "model": model,
        "label": document["entries"][0]["label"],
        "budget": budget._asdict(),
        "best": best,
        "document": {key: document[key] for key in ("processor", "threads", "versions", "device")},
        "widened": [list(side) for side in result.study.tuning.widened]
        if result.study.tuning
        else [],
        "optimizers": [
            {
                "kind": kind,
                "as_it_is": _accuracy(row.as_it_is),
                "as_it_is_against_best": _verdict(
                    usual, row.as_it_is, rows[best_as_it_is].as_it_is
                ),
                "usual_rate": row.how.recipe.learning_rate,
                "rates": [each["learning_rate"] for each in row.how.progress.settings],
                "accuracy": _accuracy(row.tuned),
                "accuracies": row.tuned.accuracies,
                "gain": row.summarize().gain.model_dump(),
                "runs": len(row.how.progress.trials),
                "seconds": row.how.seconds,
                "at_edge": row.how.edges,
                "against_best": _verdict(pairs, row.tuned, rows[best].tuned),
            }
            for kind, row in rows.items()
        ],
        "trials": {
            kind: [run.model_dump(mode="json") for run in row.how.summarize_runs()]
            for kind, row in rows.items()
        },
    }


def _accuracy(entry: Entry) -> dict[str, Any]:
    found = entry.summarize_accuracy()
    return {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}


def _verdict(pairs: list[Pair], row: Entry, best: Entry) -> str:
    """Say how a row compares with the best one: the best, worse, or the verdict's words."""
    if row is best:
        return BEST
    [pair] = [pair for pair in pairs if {id(pair.first), id(pair.second)} == {id(row), id(best)}]
    return WORSE if pair.verdict.word in ("better", "worse") else str(pair.verdict)


def draw(found: list[dict[str, Any]]) -> Figure:
    """Draw a row of points for each optimizer, a panel for each model."""
    figure = Figure(figsize=(3.2 * len(found), 3.2), layout="constrained")
    for axes, model in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        for row, optimizer in enumerate(model["optimizers"]):
            values = 100 * np.array(optimizer["accuracies"])
            axes.plot(values, [row] * len(values), "o", color="#0072B2", alpha=0.5, ms=5, mew=0)
            axes.plot(values.mean(), row, "d", color="black", ms=5)
            axes.plot(100 * optimizer["as_it_is"]["mean"], row, "|", color="#D55E00", ms=12, mew=2)
        axes.set_yticks(range(len(KINDS)), KINDS if axes.get_subplotspec().is_first_col() else "")
        axes.invert_yaxis()
        # Of runs at chosen rates: a usual rate that is no good has its mean in the table alone.
        all_values = [100 * value for each in model["optimizers"] for value in each["accuracies"]]
        axes.set_xlim(min(all_values) - 0.5, max(all_values) + 0.5)
        axes.set_title(model["label"], loc="left", fontsize=10)
        axes.set_xlabel("test accuracy, %")
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def answer(model: dict[str, Any]) -> str:
    """Say which is best, and which are not measurably worse."""
    equal = _equal(model)
    if not equal:
        return f"{model['best']} trains {model['label']} best"
    return (
        f"for {model['label']} {model['best']} has the highest mean, but is not separated from "
        f"{_name(equal)}"
    )


def at_usual_rates(model: dict[str, Any]) -> str:
    """Say which is best at the usual rates, where no luck of choosing comes in."""
    said = {each["kind"]: each["as_it_is_against_best"] for each in model["optimizers"]}
    [best] = [kind for kind, words in said.items() if words == BEST]
    worse = [kind for kind, words in said.items() if words == WORSE]
    return f"for {model['label']} {best} is better than {_name(worse)}"


def _equal(model: dict[str, Any]) -> list[str]:
    return [e["kind"] for e in model["optimizers"] if e["against_best"] not in (BEST, WORSE)]


def _name(kinds: list[str]) -> str:
    """Name some of the optimizers, or say that they are all, or none, beside the best."""
    if len(kinds) == len(KINDS) - 1:
        return "any of the others"
    return enumerate_words(kinds) if kinds else "none of the others"


def survivors(name: str, found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Hold the earlier study's sentences on a model against this one, a row each."""
    first, equal = EARLIER[name]
    model = next((each for each in found if each["model"] == name), None)
    now = {each["kind"]: each["against_best"] for each in model["optimizers"]} if model else {}
    best = model["best"] if model else ""
    open_to = _equal(model) if model else []
    told = f", but is not separated from {_name(open_to)}" if open_to else ""
    holds = "no" if best != first else LEFT_OPEN if open_to else "yes"
    rows = [(f"{first} comes first for {name}", holds, f"{best} has the highest mean{told}")]
    for kind in KINDS:
        if kind != first:
            is_now, was = now.get(kind, ""), "not separable" if kind in equal else WORSE
            as_before = is_now == WORSE if was == WORSE else is_now not in (BEST, WORSE)
            rows.append((f"{kind} is {was} for {name}", "yes" if as_before else "no", is_now))
    if model is None:
        rows = [(text, "–", "not tried again") for text, *_ in rows]
    return [{"sentence": text, "now": said, "survives": holds} for text, holds, said in rows]


def table_of(model: dict[str, Any]) -> str:
    rows = [
        {
            "optimizer": each["kind"],
            "usual rate": f"{each['usual_rate']:g}",
            "test accuracy at it, %": percent(each["as_it_is"]),
            "against the best at usual rates": each["as_it_is_against_best"],
            "chosen rates": ", ".join(f"{rate:g}" for rate in each["rates"]),
            "tuned, % (95 %)": percent(each["accuracy"]),
            "gain, points": format_points(each["gain"]["mean"]),
            "against the best tuned": each["against_best"],
            "trials' seconds": f"{each['seconds']:,.0f}",
        }
        for each in model["optimizers"]
    ]
    budget = model["budget"]
    studies = "one study" if budget["studies"] == 1 else f"{budget['studies']} studies"
    given = (
        f"{budget['trials']} points in {studies}, {budget['seeds']} seeds at the usual rate and at "
        "the chosen ones."
    )
    if budget["studies"] == 1:
        given += " What is said of the tuned rows holds given these rates."
    if model["widened"]:
        sides = enumerate_words([f"{side} end" for _, side in model["widened"]])
        given += f" The space was widened at its {sides}, for all."
    return f"## {model['label']}\n\n{given}\n\n{table(rows)}\n"


def page(found: list[dict[str, Any]]) -> str:
    """Write the page: question, answer, plot, tables, and what became of earlier sentences."""
    old = [row for model in EARLIER for row in survivors(model, found)]
    held = [row for row in old if row["survives"] != "–"]
    kept, in_part = (sum(row["survives"] == how for row in held) for how in ("yes", LEFT_OPEN))
    missing = [model for model in EARLIER if model not in [each["model"] for each in found]]
    untried = f" Those on {enumerate_words(missing)} are still to be tried." if missing else ""
    return f"""# Which optimizer is best, each at its own best learning rate?

**Answer:** of three epochs with batches of 32 and a constant rate, tuned for each optimizer:
{"; ".join(map(answer, found))}.
At the usual rates: {"; ".join(map(at_usual_rates, found))}.

The *usual rate* of an optimizer is the learning rate that a recipe takes where none is given, from
the optimizer's paper or from torch: 0.1 for SGD, 0.001 for the others here. SGD+momentum has that
of SGD, at which V0 learns nothing: 10 % is chance.

![Test accuracy of every run, by optimizer and model](results/optimizers.png)

Each point is a run at a chosen rate, the diamond the mean of these, and the orange bar the mean at
the usual rate, where it is not far below.

{chr(10).join(map(table_of, found))}
## What an earlier study said

It climbed a grid of rates from the usual one while the accuracy rose, which gives optimizers
unequal budgets, with one seed a point for the CNN. Of its {len(old)} sentences {len(held)} were
tried again with an equal budget: {kept or "none"} of these survive as they were, and {in_part} in
part.{untried}

{table(old)}

## How

A [tuned comparison](tuning.md) of each model, whose recipes are the optimizers. Every optimizer
tried the same multiples of its usual rate, from 1/32 to 32, from the same seeds, on 54,000
training images, and was scored by the loss on 6,000 validation images. The best quarter of a
study's points, and the usual rate, were tried from three more seeds, by which the study
chose. Then each was trained on all 60,000 images, from the same seeds at the usual rate and at
the chosen ones (shared out over the studies), and scored on the test set once a run; nothing was
chosen by these scores.
Intervals of tuned rows are over studies and hold the luck of choosing, and verdicts are adjusted
for all pairs of a model. V0 was compared after three studies first; as their intervals were too
wide to tell anything, two studies and a seed were added to the plans of V0 and the MLP: a second
look at V0, for which no verdict is adjusted. The trials ran beside other work, so their seconds
are more than an idle machine takes. SGD+momentum has momentum 0.9, and AdamW weight decay 0.01.
Muon updates matrices only and leaves the other parameters to AdamW.
{how(found[0]["document"])} Every number and every trial:
[results/optimizers.json](results/optimizers.json).
"""


def main() -> None:
    parser = arguments(__doc__, "optimizers")
    parser.add_argument("--models", default="v0,mlp,v1,v2", help="which of them")
    flags = parser.parse_args()
    found = [study(model, flags.data, flags.out) for model in flags.models.split(",")]
    write_page("optimizers", page(found), {"models": found}, draw(found))


if __name__ == "__main__":
    main()
