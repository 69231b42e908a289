"""Finished runs -> what they say: the document behind the table, the report and the notebook.

Reads records only; the same records give the same document.
"""

import json
import math
import re
import statistics
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from fashionbench.config import Study
from fashionbench.errors import StoreError
from fashionbench.records import Outcome, RunRecord, RunStore, TestSet
from fashionbench.stats import (
    SMALLEST_DIFFERENCE,
    Difference,
    Verdict,
    decide,
    difference,
    error_of_test_set,
    expected_sd,
    holm,
    mcnemar,
    summarize,
    time_ratio,
)

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

__all__ = ["Entry", "Pair", "Result", "load_result"]


@dataclass(frozen=True)
class Entry:
    """One row of the table: a model with a recipe, and its runs in the order of their seeds."""

    runs: tuple[RunRecord, ...]
    recipe: str
    """What it is called in this comparison; runs may have been made under another name."""

    @property
    def model(self) -> str:
        return self.runs[0].job.model

    @property
    def label(self) -> str:
        """The class's name."""
        return self.runs[0].label

    @property
    def accuracies(self) -> list[float]:
        return [run.scores.accuracy for run in self.runs]

    @property
    def validation_accuracies(self) -> list[float]:
        """Of the runs whose recipe holds out validation images."""
        return [value for run in self.runs if (value := run.validation_accuracy) is not None]

    @property
    def seconds(self) -> list[float]:
        """Training times of the runs that were alone on their device."""
        return [run.train_seconds for run in self.runs if run.train_seconds is not None]

    def correct(self, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """(S, N): which run is right about which test image."""
        predicted = np.stack([run.predicted for run in self.runs])
        return np.equal(predicted, labels)

    def summary(self, labels: NDArray[np.uint8]) -> dict[str, Any]:
        """The entry as the JSON document has it."""
        first = self.runs[0]
        correct = self.correct(labels)
        return {
            "model": self.model,
            "recipe": self.recipe,
            "label": self.label,
            "parameters": first.parameters,
            "flops_per_image": first.flops_per_image,
            "accuracy": asdict(summarize(self.accuracies)),
            "loss": asdict(summarize([run.scores.loss for run in self.runs])),
            "validation_accuracy": asdict(summarize(self.validation_accuracies)),
            "macro_f1": asdict(summarize([run.scores.macro_f1 for run in self.runs])),
            "calibration_error": asdict(
                summarize([run.scores.calibration_error for run in self.runs])
            ),
            "train_seconds": asdict(summarize(self.seconds))
            | {"median": statistics.median(self.seconds) if self.seconds else None},
            "test_set_error": error_of_test_set(correct),
            "expected_sd": expected_sd(correct),
            "outcomes": {
                outcome: sum(run.outcome == outcome for run in self.runs)
                for outcome in get_args(Outcome)
            },
            "dead_classes": sorted({index for run in self.runs for index in run.dead_classes}),
            "runs": [
                {
                    "seed": run.job.seed,
                    "accuracy": run.scores.accuracy,
                    "loss": run.scores.loss if math.isfinite(run.scores.loss) else None,
                    "macro_f1": run.scores.macro_f1,
                    "calibration_error": run.scores.calibration_error,
                    "validation_accuracy": run.validation_accuracy,
                    "train_seconds": run.train_seconds,
                    "epochs": run.epochs,
                    "best_epoch": run.best_epoch,
                    "outcome": run.outcome,
                    "dead_classes": run.dead_classes,
                }
                for run in self.runs
            ],
        }


@dataclass(frozen=True)
class Pair:
    """Two entries and what can be said of their difference, a minus b."""

    a: str
    b: str
    first: Entry
    second: Entry
    found: Difference
    """Its p-values are adjusted for the number of pairs (Holm)."""
    verdict: Verdict
    mcnemar: float | None
    """Where each has one run: p-value of the two networks being right equally often."""

    def summary(self) -> dict[str, Any]:
        """The pair as the JSON document has it."""
        times = time_ratio(self.first.seconds, self.second.seconds)
        return {
            "a": self.a,
            "b": self.b,
            **{
                key: value if value is not None and math.isfinite(value) else None
                for key, value in asdict(self.found).items()
            },
            "verdict": self.verdict.word,
            "in_words": str(self.verdict),
            "seeds_needed": self.verdict.seeds,
            "beyond_these_images": self.verdict.beyond_these_images,
            "mcnemar_p_value": self.mcnemar,
            "time_ratio": None if times is None else asdict(times),
        }


@dataclass(frozen=True)
class Result:
    """A finished comparison. In a notebook it shows its table and plots."""

    study: Study
    command: str
    folder: Path
    entries: tuple[Entry, ...]
    test_set: TestSet

    @cached_property
    def document(self) -> dict[str, Any]:
        """The comparison as plain data: what `--json` prints and results.json holds.

        Accuracies are fractions, losses nats, times seconds; what cannot be told is None.
        """
        first = self.entries[0].runs[0]
        names = self.test_set.classes
        entries = [entry.summary(self.test_set.labels) for entry in self.entries]
        for summary in entries:
            for part in (summary, *summary["runs"]):
                part["dead_classes"] = [names[index] for index in part["dead_classes"]]
        return {
            "dataset": self.study.dataset,
            "command": self.command,
            "device": first.device,
            "threads": first.environment["threads"],
            "versions": first.environment["versions"],
            "processor": first.environment["processor"],
            "seeds": list(self.study.seeds),
            "entries": entries,
            "until": self.study.until,
            "pairs": [pair.summary() for pair in self.pairs],
        }

    def to_json(self) -> str:
        """The document as `--json` prints it and results.json holds it."""
        return json.dumps(self.document, indent=2, allow_nan=False) + "\n"

    @property
    def is_reported(self) -> bool:
        """Whether the report in the folder is whole and already says exactly this."""
        others = ("report.html", "report.md", "results.csv")
        if not all((self.folder / name).is_file() for name in others):
            return False
        try:
            return (self.folder / "results.json").read_text("utf-8") == self.to_json()
        except (OSError, UnicodeDecodeError):
            return False

    @cached_property
    def pairs(self) -> list["Pair"]:
        """Every two entries that have finished seeds in common, compared over these."""
        pairs = [pair for pair in combinations(self.entries, 2) if _shared_seeds(*pair)]
        found = [self._difference(a, b, len(pairs)) for a, b in pairs]
        p_values = holm([values.p_value for values in found])
        beyond = holm([values.p_value_beyond for values in found])
        rows = []
        for (a, b), values, p, q in zip(pairs, found, p_values, beyond, strict=True):
            adjusted = replace(values, p_value=p, p_value_beyond=q)
            verdict = decide(
                adjusted,
                self.study.until or SMALLEST_DIFFERENCE,
                pairs=len(pairs),
                sequential=self._sequential,
            )
            single = None
            if len(a.runs) == len(b.runs) == 1:
                labels = self.test_set.labels
                single = mcnemar(a.correct(labels)[0], b.correct(labels)[0])
            rows.append(Pair(self.name(a), self.name(b), a, b, adjusted, verdict, single))
        return rows

    @property
    def _sequential(self) -> bool:
        """Whether seeds were added after looking."""
        return self.study.until is not None

    def _difference(self, a: Entry, b: Entry, pairs: int) -> Difference:
        labels, shared = self.test_set.labels, _shared_seeds(a, b)
        rows = [
            entry.correct(labels)[[run.job.seed in shared for run in entry.runs]]
            for entry in (a, b)
        ]
        return difference(*rows, pairs=pairs, sequential=self._sequential)

    @cached_property
    def shared_settings(self) -> list[str]:
        """What all of several recipes were given beside their names, such as epochs=5."""
        names = [recipe.name.split() for recipe in self.study.recipes]
        if len(names) == 1:
            return []
        return [part for part in names[0] if "=" in part and all(part in other for other in names)]

    def short_recipe(self, entry: Entry) -> str:
        """The recipe's name without what all recipes were given."""
        return " ".join(part for part in entry.recipe.split() if part not in self.shared_settings)

    def short_model(self, entry: Entry) -> str:
        """The model's name without the folders of its files, where it is still the only one."""
        short = [_without_folders(model) for model in self.study.models]
        name = _without_folders(entry.model)
        return name if short.count(name) == 1 else entry.model

    def name(self, entry: Entry) -> str:
        """The shortest name that tells entries apart: model, and recipe where that varies."""
        if len(self.study.recipes) == 1:
            return self.short_model(entry)
        return f"{self.short_model(entry)} {self.short_recipe(entry)}"

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before believing the table; a sentence each."""
        names = self.test_set.classes
        found = []
        asked = sum(len(jobs) for jobs in self.study.entries())
        finished = sum(len(entry.runs) for entry in self.entries)
        if finished < asked:
            found.append(
                f"Only {finished} of the {asked} runs are finished. To go on: {self.command}"
            )
        several = len(self.study.recipes) > 1
        for entry in self.entries:
            n, job = len(entry.runs), entry.runs[0].job
            who = f"{entry.label} {self.short_recipe(entry)}" if several else entry.label
            # What names no source and no hub is built with random weights.
            if job.recipe.probe_epochs and not job.model_source and "/" not in job.model:
                found.append(
                    f"{who}: its recipe begins with training the last layer alone, but "
                    "the layers below it had random weights; give trained ones with --weights."
                )
            for outcome, meaning in (
                ("diverged", "the loss became no number"),
                ("collapsed", "one class is predicted for every image"),
            ):
                count = sum(run.outcome == outcome for run in entry.runs)
                if count:
                    found.append(f"{who}: {count} of {n} runs {outcome} ({meaning}).")
            dead = [run for run in entry.runs if run.outcome == "ok" and run.dead_classes]
            if dead:
                which = sorted({index for run in dead for index in run.dead_classes})
                found.append(
                    f"{who}: {len(dead)} of {n} runs never predict some class "
                    f"(left out by one or more: {', '.join(names[index] for index in which)})."
                )
        runs = [run for entry in self.entries for run in entry.runs]
        found += _mixed(
            "These runs were made under different conditions",
            {f"{run.device}, torch {run.environment['versions']['torch']}" for run in runs},
        )
        timed = [run.environment for run in runs if run.train_seconds is not None]
        found += _mixed(
            "Training times were taken with different numbers of threads",
            {str(environment["threads"]) for environment in timed},
        )
        found += _mixed(
            "Training times were taken on different machines and do not compare",
            {f"{environment['processor']}, {environment['device']}" for environment in timed},
        )
        if len(self.study.seeds) == 1:
            found.append("One seed each: how much of a difference is luck cannot be told.")
            found += [
                f"These two networks, {pair.a} and {pair.b}, are "
                + ("not equally often" if pair.mcnemar < 0.05 else "not shown to differ in being")
                + f" right (McNemar's test, p = {pair.mcnemar:.2g}); other seeds may say otherwise."
                for pair in self.pairs
                if pair.mcnemar is not None
            ]
        return found

    def figure(self, name: str) -> "Figure":
        """One of the report's plots by its name: see `fashionbench.report.FIGURES`."""
        from fashionbench.report import draw_figure

        return draw_figure(self, name)

    def to_pandas(self) -> "pandas.DataFrame":
        """One row a run. Needs pandas."""
        import pandas

        rows = []
        for entry in self.document["entries"]:
            about = {key: entry[key] for key in ("model", "recipe", "label", "parameters")}
            rows += [about | run for run in entry["runs"]]
        return pandas.DataFrame(rows)

    def __repr__(self) -> str:
        rows = [
            f"{self.name(entry)}: {100 * row.mean:.2f} % of the test images, {row.n} seeds"
            for entry in self.entries
            if (row := summarize(entry.accuracies)).mean is not None
        ]
        return "\n".join([f"Comparison in {self.folder}", *rows])

    def _repr_html_(self) -> str:
        from fashionbench.report import notebook_html

        return notebook_html(self)


def _without_folders(model: str) -> str:
    """`nets/my.py:Net` -> `my.py:Net`, and the same of a file of weights."""
    model = re.sub(r"^.*[/\\](?=[^/\\]+\.py:)", "", model)
    return re.sub(r"(:weights=).*[/\\]", r"\1", model)


def _shared_seeds(a: Entry, b: Entry) -> set[int]:
    return {run.job.seed for run in a.runs} & {run.job.seed for run in b.runs}


def _mixed(problem: str, settings: set[str]) -> list[str]:
    return [f"{problem}: {'; '.join(sorted(settings))}."] if len(settings) > 1 else []


def load_result(folder: Path | str) -> Result:
    """The last comparison of a run folder, as far as its runs are finished.

    Raises StoreError if the folder holds none, or none of its runs is finished.
    """
    store = RunStore(Path(folder))
    study, command = store.load_study()
    return collect(store, study, command)


def collect(store: RunStore, study: Study, command: str) -> Result:
    """Gather the finished runs of `study`. Raises StoreError where there are none."""
    entries = []
    for jobs in study.entries():
        runs = [store.load_run(job, study.device) for job in jobs]
        finished = tuple(run for run in runs if run is not None)
        if finished:
            entries.append(Entry(finished, jobs[0].recipe.name))
    test_set = store.load_test_set(study.test_set)
    if not entries or test_set is None:
        raise StoreError(
            f"No run of the comparison in {store.folder} is finished; go on with: {command}"
        )
    return Result(study, command, store.folder, tuple(entries), test_set)
