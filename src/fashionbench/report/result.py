"""Finished runs -> what they say: the document behind the table, the report and the notebook.

Reads records only; the same records give the same document.
"""

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashionbench.config.study import Study
from fashionbench.errors import StoreError
from fashionbench.report.entries import Entry, Pair
from fashionbench.report.warnings import find_warnings
from fashionbench.stats.difference import Difference, difference, holm, mcnemar, summarize
from fashionbench.stats.verdict import SMALLEST_DIFFERENCE, decide
from fashionbench.store.records import TestSet
from fashionbench.store.run_store import RunStore

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

__all__ = ["Result", "load_result"]


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
                one_start=any(entry.starts_alike or entry.runs_alike for entry in (a, b)),
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
    def _shared_overrides(self) -> list[tuple[str, str]]:
        """What all of several recipes were given beside their names."""
        first, *others = (recipe.overrides for recipe in self.study.recipes)
        if not others:
            return []
        return [each for each in first if all(each in other for other in others)]

    @property
    def shared_settings(self) -> list[str]:
        """What all of several recipes were given beside their names, such as epochs=5."""
        return [f"{key}={value}" for key, value in self._shared_overrides]

    def short_recipe(self, entry: Entry) -> str:
        """The recipe's name without what all recipes were given."""
        recipe = next(each for each in self.study.recipes if each.label == entry.recipe)
        varying = tuple(each for each in recipe.overrides if each not in self._shared_overrides)
        return recipe.model_copy(update={"overrides": varying}).label

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
        several = len(self.study.recipes) > 1
        names = [
            f"{entry.label} {self.short_recipe(entry)}" if several else entry.label
            for entry in self.entries
        ]
        return find_warnings(
            self.study, self.command, self.entries, names, self.pairs, self.test_set.classes
        )

    def figure(self, name: str) -> "Figure":
        """One of the report's plots by its name: see `fashionbench.report.page.FIGURES`."""
        from fashionbench.report.page import draw_figure

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
        from fashionbench.report.page import notebook_html

        return notebook_html(self)


def _without_folders(model: str) -> str:
    """`nets/my.py:Net` -> `my.py:Net`, and the same of a file of weights."""
    model = re.sub(r"^.*[/\\](?=[^/\\]+\.py:)", "", model)
    return re.sub(r"(:weights=).*[/\\]", r"\1", model)


def _shared_seeds(a: Entry, b: Entry) -> set[int]:
    return {run.job.seed for run in a.runs} & {run.job.seed for run in b.runs}


def load_result(folder: Path | str) -> Result:
    """The last comparison of a run folder, as far as its runs are finished.

    Raises StoreError if the folder holds none, or none of its runs is finished.

    Examples:
        >>> result = fb.load_result("runs/silhouettes")
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
            entries.append(Entry(finished, jobs[0].recipe.label))
    test_set = store.load_test_set(study.test_set)
    if not entries or test_set is None:
        raise StoreError(
            f"No run of the comparison in {store.folder} is finished; go on with: {command}"
        )
    return Result(study, command, store.folder, tuple(entries), test_set)
