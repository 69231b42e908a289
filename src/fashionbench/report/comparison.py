"""A comparison: the finished runs of a Study, and what they say of the models.

Tables, figures and pages are drawn from it. It reads records only; the same records give the
same document.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Self

from fashionbench.config.naming import find_named
from fashionbench.config.recipe import current_name
from fashionbench.config.study import Job, Study
from fashionbench.errors import StoreError, UsageError
from fashionbench.report.dealt import summarize_over_splits
from fashionbench.report.document import (
    Document,
    EntrySummary,
    ExcludedImages,
    LeftOut,
    SplitsSummary,
)
from fashionbench.report.entries import Entry, Pair
from fashionbench.report.gains import TunedRow, group_pairs, match_rows, summarize_tuning
from fashionbench.report.judging import Judging
from fashionbench.report.numbers import format_percent, pluralize
from fashionbench.report.ranking import Ranked, rank
from fashionbench.report.tuned import AS_IT_IS, TUNED, Tuned
from fashionbench.report.tuning_document import TuningSummary
from fashionbench.store.records import RunRecord, TestSet
from fashionbench.store.run_store import RunStore
from fashionbench.store.trials import follow

__all__ = ["MANY_PAIRS", "REPORT_FILES", "Comparison"]

REPORT_FILES = (
    "report.html",
    "report.md",
    "results.csv",
    "summary.csv",
    "pairs.csv",
    "results.json",
)
"""The files of a report in a run folder; results.json is written last."""
MANY_PAIRS = 10
"""Up to so many pairs are all shown."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """The finished runs of a Study, as a table's rows and the pairs of them."""

    study: Study
    """What was asked."""
    command: str
    """What gives the same comparison again."""
    folder: Path
    """The run folder, which holds the report."""
    entries: tuple[Entry, ...]
    """The rows of the table: each a model with a recipe, and its runs."""
    test_set: TestSet
    """The test images, their labels and the names of the classes."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the last comparison of a run folder, as far as its runs are finished.

        Raises StoreError if the folder holds none, or none of its runs is finished.
        """
        store = RunStore(folder)
        return cls.collect(store, *store.load_study())

    @classmethod
    def collect(cls, store: RunStore, study: Study, command: str) -> Self:
        """Gather the finished runs of `study`. Raises StoreError where there are none."""
        entries: list[Entry] = []
        for number, jobs in enumerate(study.entries()):
            recipe = jobs[0].recipe
            held = study.held_for(recipe)
            if finished := _load_finished(store, study, jobs):
                dealt = tuple(_load_finished(store, study, each) for each in study.dealt(jobs))
                entries.append(Entry(finished, recipe.label, held, dealt))
            if study.tuning is None or jobs[0].is_only_scored:
                continue
            progress = follow(study, number, partial(store.load_run, device=study.device))
            if finished := _load_finished(store, study, progress.jobs):
                how = Tuned(study.tuning, recipe, progress)
                entries.append(Entry(finished, f"{recipe.label} {TUNED}", held, tuned=how))
        test_set = store.load_test_set(study.test_set)
        if not entries or test_set is None:
            raise StoreError(
                f"No run of the comparison in {store.folder} is finished; go on with: {command}"
            )
        return cls(study, command, store.folder, tuple(entries), test_set)

    @cached_property
    def document(self) -> Document:
        """The comparison as plain data: what `--json` prints and results.json holds."""
        first = self.entries[0].runs[0]
        summaries = {id(row.entry): summary for row, summary in self.rows}
        return Document(
            dataset=self.study.dataset,
            channels=self.study.channels,
            size=self.study.size,
            command=self.command,
            device=first.device,
            threads=first.environment.threads,
            versions=first.environment.versions,
            processor=first.environment.processor,
            seeds=list(self.study.seeds),
            vary=self.study.vary,
            splits=self.study.splits,
            excluded=self._count_excluded(),
            until=self.study.until,
            smallest_difference=self._judging.smallest,
            entries=[summaries[id(entry)] for entry in self.entries],
            left_out=tuple(LeftOut(name=name, fault=fault) for name, fault in self.study.left_out),
            pairs=[pair.summarize() for pair in self.pairs],
            tuning=self._summarize_tuning(),
        )

    @cached_property
    def tuned_rows(self) -> list[TunedRow]:
        """The tuned entries, each beside itself as it is; empty where nothing was tuned."""
        return match_rows(self.entries, self.pairs, self.name)

    def _summarize_tuning(self) -> TuningSummary | None:
        tuning, rows = self.study.tuning, self.tuned_rows
        return None if tuning is None or not rows else summarize_tuning(tuning, rows, self.pairs)

    @property
    def recipes_vary(self) -> bool:
        """Whether a row is told apart by its recipe, or by its being tuned."""
        return len(self.study.recipes) > 1 or any(entry.tuned for entry in self.entries)

    @cached_property
    def rows(self) -> list[tuple[Ranked, EntrySummary]]:
        """The rows of the table in their order, with all their numbers."""
        found = []
        for row in self.ranking:
            splits = summarize_over_splits(row.entry)
            more = {
                "name": self.name(row.entry),
                "first_place": row.first,
                "last_place": row.last,
                "over_splits": splits and SplitsSummary.model_validate(splits),
            }
            summary = row.entry.summarize(self.test_set, self._excluded)
            found.append((row, summary.model_copy(update=more)))
        return found

    @property
    def _excluded(self) -> list[int]:
        """Positions of the test images that a second accuracy leaves out."""
        exclusion = self.study.exclusion
        return [] if exclusion is None else exclusion.positions

    def _count_excluded(self) -> ExcludedImages | None:
        exclusion = self.study.exclusion
        if exclusion is None:
            return None
        by_reason = {reason: len(found) for reason, found in exclusion.by_reason.items()}
        return ExcludedImages(
            file=exclusion.file, images=len(exclusion.positions), by_reason=by_reason
        )

    def to_json(self) -> str:
        """Return the document as `--json` prints it and results.json holds it."""
        return self.document.model_dump_json(indent=2) + "\n"

    @property
    def is_reported(self) -> bool:
        """Whether the report in the folder is whole and already says exactly this."""
        if not all((self.folder / name).is_file() for name in REPORT_FILES):
            return False
        try:
            return (self.folder / "results.json").read_text("utf-8") == self.to_json()
        except (OSError, UnicodeDecodeError):
            return False

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every two entries that have finished seeds in common, compared over these.

        Where entries were tuned: those as they are with each other, those tuned with each other,
        and each tuned one with itself as it is. Each of these three is judged together.
        """
        return [pair for pairs in group_pairs(self.entries) for pair in self._judging.judge(pairs)]

    @property
    def _judging(self) -> Judging:
        return Judging(self.test_set.labels, self.study.until, self.name)

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
        """Return the recipe's name without what all recipes were given."""
        if self.recipes_vary and len(self.study.recipes) == 1:
            return TUNED if entry.tuned else AS_IT_IS
        if entry.tuned is not None:
            return f"{self._short_label(entry.tuned.recipe.label)} {TUNED}"
        return self._short_label(entry.recipe)

    def _short_label(self, label: str) -> str:
        recipe = next(each for each in self.study.recipes if each.label == label)
        varying = tuple(each for each in recipe.overrides if each not in self._shared_overrides)
        return recipe.model_copy(update={"overrides": varying}).label

    def short_model(self, entry: Entry) -> str:
        """Return the one name that tables, plots, sentences and errors have for a model."""
        return self._names[entry.model, entry.runs[0].job.model_source]

    @cached_property
    def _names(self) -> dict[tuple[str, str], str]:
        sources = self.study.model_sources or ("",) * len(self.study.models)
        return dict(
            zip(zip(self.study.models, sources, strict=True), self.study.names, strict=True)
        )

    @cached_property
    def ranking(self) -> list[Ranked]:
        """The entries by accuracy, with their places: the order of all tables and plots."""
        return rank(self.entries, self.pairs)

    @cached_property
    def shown_pairs(self) -> list[Pair]:
        """All pairs, or of more than MANY_PAIRS those with the entry of the highest mean.

        The one with the higher mean is the first of the two.
        """
        places = {id(row.entry): place for place, row in enumerate(self.ranking)}
        oriented = [
            pair if places[id(pair.first)] < places[id(pair.second)] else pair.turned()
            for pair in self.pairs
        ]
        oriented.sort(key=lambda pair: (places[id(pair.first)], places[id(pair.second)]))
        if len(oriented) <= MANY_PAIRS:
            return oriented
        return [pair for pair in oriented if places[id(pair.first)] == 0]

    def name(self, entry: Entry) -> str:
        """Return the shortest name that tells it apart, with the recipe where that varies."""
        if len(self.study.recipes) > 1:
            return f"{self.short_model(entry)} {self.short_recipe(entry)}"
        return f"{self.short_model(entry)} {TUNED}" if entry.tuned else self.short_model(entry)

    def find_entry(self, model: str | type, recipe: str | None = None) -> Entry:
        """Return the row of a model, or of a model and one of its recipes.

        Both go by the names that the table shows, or by their whole names; a model also by that of
        its class, in any case. Raises UsageError, which says what there is, where no row or more
        than one goes by them.
        """
        rows = self.find_model(model)
        found = [row for row in rows if recipe in (None, row.recipe, self.short_recipe(row))]
        if recipe is not None and not found:  # older run folders have an older name
            found = [row for row in rows if current_name(str(recipe)) == current_name(row.recipe)]
        if len(found) == 1:
            return found[0]
        recipes = ", ".join(map(self.short_recipe, found or rows))
        if found:
            raise UsageError(f"{model} was trained by several recipes; name one of {recipes}.")
        raise UsageError(
            f"There is no recipe {recipe!r} of {model} in this comparison; there are {recipes}."
        )

    def find_model(self, model: str | type) -> list[Entry]:
        """Return the rows of one model, by a name or its class.

        Raises UsageError, which lists the models there are.
        """
        model = model.__name__ if isinstance(model, type) else str(model)
        names = [(self.short_model(e), e.model, self.name(e), e.label) for e in self.entries]
        rows = [self.entries[place] for place in find_named(model, names)]
        if not rows:
            models = ", ".join(dict.fromkeys(map(self.short_model, self.entries)))
            raise UsageError(f"There is no model {model!r} in this comparison; there are {models}.")
        return rows

    def __repr__(self) -> str:
        rows = [
            f"{self.name(row.entry)}: {format_percent(row.entry.mean_accuracy)} % of the test "
            f"images, {pluralize(len(row.entry.runs), 'seed')}"
            for row in self.ranking
        ]
        return "\n".join([f"Comparison in {self.folder}", *rows])


def _load_finished(store: RunStore, study: Study, jobs: Sequence[Job]) -> tuple[RunRecord, ...]:
    runs = (store.load_run(job, study.device) for job in jobs)
    return tuple(run for run in runs if run is not None)
