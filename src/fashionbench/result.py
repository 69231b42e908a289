"""Finished runs -> what they say: the document behind the table, the report and the notebook.

Reads records only; the same records give the same document.
"""

import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashionbench.config import Study
from fashionbench.errors import StoreError
from fashionbench.records import RunRecord, RunStore, TestSet
from fashionbench.stats import holm, paired_difference, summarize

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

__all__ = ["Entry", "Result", "load_result"]


@dataclass(frozen=True)
class Entry:
    """One row of the table: a model with a recipe, and its runs in the order of their seeds."""

    runs: tuple[RunRecord, ...]

    @property
    def model(self) -> str:
        return self.runs[0].job.model

    @property
    def recipe(self) -> str:
        return self.runs[0].job.recipe.name

    @property
    def label(self) -> str:
        """The class's name."""
        return self.runs[0].label

    @property
    def accuracies(self) -> list[float]:
        return [run.scores.accuracy for run in self.runs]

    def summary(self) -> dict[str, Any]:
        """The entry as the JSON document has it."""
        first = self.runs[0]
        seconds = [run.train_seconds for run in self.runs if run.train_seconds is not None]
        return {
            "model": self.model,
            "recipe": self.recipe,
            "label": self.label,
            "parameters": first.parameters,
            "flops_per_image": first.flops_per_image,
            "accuracy": asdict(summarize(self.accuracies)),
            "loss": asdict(summarize([run.scores.loss for run in self.runs])),
            "macro_f1": asdict(summarize([run.scores.macro_f1 for run in self.runs])),
            "calibration_error": asdict(
                summarize([run.scores.calibration_error for run in self.runs])
            ),
            "train_seconds": asdict(summarize(seconds)),
            "dead_classes": sorted({index for run in self.runs for index in run.dead_classes}),
            "runs": [
                {
                    "seed": run.job.seed,
                    "accuracy": run.scores.accuracy,
                    "loss": run.scores.loss if math.isfinite(run.scores.loss) else None,
                    "macro_f1": run.scores.macro_f1,
                    "calibration_error": run.scores.calibration_error,
                    "train_seconds": run.train_seconds,
                    "epochs": run.epochs,
                    "outcome": run.outcome,
                    "dead_classes": run.dead_classes,
                }
                for run in self.runs
            ],
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
        entries = [entry.summary() for entry in self.entries]
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
            "pairs": self._pairs(),
        }

    def to_json(self) -> str:
        """The document as `--json` prints it and results.json holds it."""
        return json.dumps(self.document, indent=2, allow_nan=False) + "\n"

    @property
    def is_reported(self) -> bool:
        """Whether the report in the folder already says exactly this."""
        try:
            return (self.folder / "results.json").read_text("utf-8") == self.to_json()
        except (OSError, UnicodeDecodeError):
            return False

    def _pairs(self) -> list[dict[str, Any]]:
        pairs = list(combinations(self.entries, 2))
        differences = [paired_difference(a.accuracies, b.accuracies) for a, b in pairs]
        adjusted = iter(holm([d.p_value for d in differences if d.p_value is not None]))
        rows = []
        for (a, b), difference in zip(pairs, differences, strict=True):
            p_value = None if difference.p_value is None else next(adjusted)
            if p_value is None or p_value >= 0.05:
                verdict = "cannot tell"
            else:
                verdict = "better" if difference.difference > 0 else "worse"
            rows.append(
                {
                    "a": self.name(a),
                    "b": self.name(b),
                    "difference": difference.difference,
                    "low": difference.low,
                    "high": difference.high,
                    "p_value": p_value,
                    "n": difference.n,
                    "verdict": verdict,
                }
            )
        return rows

    def name(self, entry: Entry) -> str:
        """The shortest name that tells entries apart: model, and recipe where that varies."""
        return entry.model if len(self.study.recipes) == 1 else f"{entry.model} {entry.recipe}"

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before believing the table; a sentence each."""
        names = self.test_set.classes
        found = []
        for entry in self.entries:
            n = len(entry.runs)
            for outcome, meaning in (
                ("diverged", "the loss became no number"),
                ("collapsed", "one class is predicted for every image"),
            ):
                count = sum(run.outcome == outcome for run in entry.runs)
                if count:
                    found.append(f"{entry.label}: {count} of {n} runs {outcome} ({meaning}).")
            dead = [run for run in entry.runs if run.outcome == "ok" and run.dead_classes]
            if dead:
                which = sorted({index for run in dead for index in run.dead_classes})
                found.append(
                    f"{entry.label}: {len(dead)} of {n} runs never predict some class "
                    f"({', '.join(names[index] for index in which)})."
                )
        settings = {
            (run.device, run.environment["threads"], run.environment["versions"]["torch"])
            for entry in self.entries
            for run in entry.runs
        }
        if len(settings) > 1:
            found.append(
                "These runs were made under different conditions, so their times do not compare: "
                + "; ".join(f"{d} with {t} threads, torch {v}" for d, t, v in sorted(settings))
                + "."
            )
        if len(self.study.seeds) == 1:
            found.append("One seed each: how much of a difference is luck cannot be told.")
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

    def _repr_html_(self) -> str:
        from fashionbench.report import notebook_html

        return notebook_html(self)


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
            entries.append(Entry(finished))
    test_set = store.load_test_set(study.dataset)
    if not entries or test_set is None:
        raise StoreError(
            f"No run of the comparison in {store.folder} is finished; go on with: {command}"
        )
    return Result(study, command, store.folder, tuple(entries), test_set)
