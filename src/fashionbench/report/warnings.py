"""What a reader must know before believing a comparison's table, in a sentence each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import fmean

from fashionbench.core.seeds import HELD_SEED
from fashionbench.report.comparison import Comparison
from fashionbench.report.entries import SEEDS_FOR_A_BAR, Entry
from fashionbench.report.numbers import VARIED, format_percent, pluralize
from fashionbench.stats.intervals import CONFIDENCE
from fashionbench.store.records import RunRecord

__all__ = ["find_warnings"]

WORTH_TELLING = 0.001
"""An accuracy that another rule for ties would move by so much is not the model's alone."""
MOST_NAMED = 5
"""Models that one sentence names."""


def find_warnings(comparison: Comparison) -> list[str]:
    """Return what there is to warn of, a sentence each; empty where there is nothing.

    What is said of several models is said once, of all of them.
    """
    of_entries = _say_once(
        comparison, lambda entry: (text for warn in _OF_AN_ENTRY for text in warn(entry))
    )
    runs = [run for entry in comparison.entries for run in entry.runs]
    return [
        *_unfinished(comparison),
        *_unequal_seeds(comparison),
        *(f"{name} is left out: {fault}" for name, fault in comparison.study.left_out),
        *_held(comparison),
        *_edges(comparison),
        *_uneven_studies(comparison),
        *_few_seeds(comparison),
        *_conditions(runs),
        *_machines(comparison),
        *_engines(comparison),
        *(f"{_join(names)}: {text}" for text, names in of_entries.items()),
        *_lost_classes(comparison),
    ]


def _say_once(
    comparison: Comparison, warn: Callable[[Entry], Iterable[str]]
) -> dict[str, list[str]]:
    """Collect what there is to warn of, each with the names of the entries that it is about."""
    said: dict[str, list[str]] = {}
    for entry in (row.entry for row in comparison.ranking):
        for text in warn(entry):
            said.setdefault(text, []).append(comparison.name(entry))
    return said


def _join(names: Sequence[str]) -> str:
    if len(names) <= MOST_NAMED:
        return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} others"


def _unfinished(comparison: Comparison) -> Iterator[str]:
    study = comparison.study
    asked = sum(len(jobs) for _, jobs in study.groups())
    if study.tuning is not None:
        asked += sum(len(jobs) for jobs in study.entries() if not jobs[0].is_only_scored)
    finished = sum(len(runs) for e in comparison.entries for runs in (e.runs, *e.dealt))
    if finished < asked:
        yield f"Only {finished} of the {asked} runs are finished. To go on: {comparison.command}"


def _unequal_seeds(comparison: Comparison) -> Iterator[str]:
    """Tell where rows have different seeds, as in a comparison that was stopped."""
    rows = [entry for entry in comparison.entries if not entry.is_only_scored]
    if len({tuple(run.job.seed for run in entry.runs) for entry in rows}) > 1:
        fewest, *_, most = sorted(rows, key=lambda entry: len(entry.runs))
        yield (
            f"Not all rows have the same seeds: {comparison.name(fewest)} has {len(fewest.runs)}, "
            f"{comparison.name(most)} {len(most.runs)}. A mean is over all seeds of its row, a "
            "difference over those that both rows have."
        )


def _edges(comparison: Comparison) -> Iterator[str]:
    """Tell of choices beyond which nothing was searched."""
    for row in comparison.tuned_rows:
        if row.how.edges:
            yield (
                f"{comparison.name(row.tuned)}: a choice lies at the edge of what was searched "
                f"({', '.join(row.how.edges)}), so a better one may lie beyond it."
            )


def _uneven_studies(comparison: Comparison) -> Iterator[str]:
    """Tell that studies have different numbers of runs, though each of them counts the same."""
    tuning, seeds = comparison.study.tuning, len(comparison.study.seeds)
    if tuning is not None and comparison.tuned_rows and seeds % tuning.studies:
        yield (
            f"{seeds} seeds cannot be shared out evenly over {tuning.studies} studies, which count "
            "the same: the mean of a tuned row is not that of its runs. Ask for "
            f"{seeds + -seeds % tuning.studies} seeds."
        )


def _held(comparison: Comparison) -> Iterator[str]:
    """Tell which part of the luck of a seed is in no number."""
    if comparison.study.vary != "all":
        yield (
            f"Seeds vary {VARIED[comparison.study.vary]} alone. Everything else random is that of "
            f"seed {HELD_SEED} in all runs, so its luck is in no interval, p-value or verdict."
        )


def _probed_at_random(entry: Entry) -> Iterator[str]:
    job = entry.runs[0].job
    # What names no source and no hub is built with random weights.
    if job.recipe.probe_epochs and not job.model_source and not job.spec.hub:
        yield (
            "its recipe begins with training the last layer alone, but the layers below it had "
            "random weights; give trained ones with --weights."
        )


def _outcomes(entry: Entry) -> Iterator[str]:
    for outcome, meaning in (
        ("diverged", "the loss became infinite or not a number"),
        ("collapsed", "one class is predicted for every image"),
    ):
        count = sum(run.outcome == outcome for run in entry.runs)
        if count:
            yield f"{count} of {len(entry.runs)} runs {outcome} ({meaning})."


def _dead_classes(entry: Entry, classes: Sequence[str]) -> Iterator[str]:
    dead = [run for run in entry.runs if run.outcome == "ok" and run.dead_classes]
    if dead:
        which = sorted({index for run in dead for index in run.dead_classes})
        *first, last = (classes[index] for index in which)
        names = f"{', '.join(first)} or {last}" if first else last
        yield (
            f"in {len(dead)} of {len(entry.runs)} runs at least one class is never predicted "
            f"({names})."
        )


def _lost_classes(comparison: Comparison) -> Iterator[str]:
    """Tell which entries never predict some class, and which; if many, only which entries."""
    classes = comparison.test_set.classes
    said = _say_once(comparison, lambda entry: _dead_classes(entry, classes))
    if len(said) > MOST_NAMED:
        names = _join([name for names in said.values() for name in names])
        said = {"some runs never predict at least one class; the report says which.": [names]}
    yield from (f"{_join(names)}: {text}" for text, names in said.items())


def _ties(entry: Entry) -> Iterator[str]:
    """Tell of equal largest logits where another rule would move a run's accuracy."""
    tied = [(run, run.ties) for run in entry.runs if run.ties is not None]
    by_rule = [
        (run.scores.accuracy, ties.accuracy_by_chance, ties.accuracy_by_last) for run, ties in tied
    ]
    if any(max(accuracies) - min(accuracies) >= WORTH_TELLING for accuracies in by_rule):
        share = fmean(ties.images / len(run.predicted) for run, ties in tied)
        first, chance, last = (format_percent(fmean(each)) for each in zip(*by_rule, strict=True))
        yield (
            f"on {format_percent(share)} % of the test images several classes share the largest "
            f"logit. The first of them counts, which gives {first} %; drawn by chance it would be "
            f"{chance} %, and the last of them {last} %."
        )


def _same_start(entry: Entry) -> Iterator[str]:
    if entry.runs_alike:
        yield "all runs are equal: seeds make no difference to it, so there is no interval."
    elif entry.seeds_itself:
        yield (
            "all seeds begin with the same weights, since its code seeds torch. So intervals, "
            "p-values and verdicts hold the luck of the order of the images, but not that of first "
            "weights; remove manual_seed from its code."
        )


def _remarks(entry: Entry) -> Iterator[str]:
    for kind in dict.fromkeys(kind for run in entry.runs for kind in run.remarks):
        runs = [run for run in entry.runs if kind in run.remarks]
        some = f"in {len(runs)} of {len(entry.runs)} runs " if len(runs) < len(entry.runs) else ""
        yield f"{some}{runs[0].remarks[kind]}{_say_one_by_one(kind, runs)}"


def _say_one_by_one(kind: str, runs: list[RunRecord]) -> str:
    """Say the score of one image at a time, beside that of batches."""
    values = [run.accuracy_one_by_one for run in runs if run.accuracy_one_by_one is not None]
    if kind != "batch" or not values:
        return ""
    return f" Shown one at a time, {format_percent(fmean(values))} % of the images are right."


def _conditions(runs: Sequence[RunRecord]) -> Iterator[str]:
    timed = [run.environment for run in runs if run.train_seconds is not None]
    for problem, settings in (
        (
            "These runs were made under different conditions",
            {f"{run.device}, torch {run.environment.versions['torch']}" for run in runs},
        ),
        (
            "Training times were taken with different numbers of threads",
            {str(environment.threads) for environment in timed},
        ),
        (
            "Training times were taken on different machines and cannot be compared",
            {f"{environment.processor}, {environment.device}" for environment in timed},
        ),
    ):
        if len(settings) > 1:
            yield f"{problem}: {'; '.join(sorted(settings))}."
    yield from dict.fromkeys(note for run in runs for note in run.dataset_notes)


def _machines(comparison: Comparison) -> Iterator[str]:
    """Tell of kinds of machines, and whether the same small training ended alike on them."""
    runs = [run for entry in comparison.entries for run in entry.runs if run.environment.canary]
    kinds = {f"{run.environment.processor}, {run.environment.device}" for run in runs}
    digests = {run.environment.canary for run in runs}
    if len(kinds) < 2 and len(digests) < 2:
        return
    about = (
        f"Workers trained on {pluralize(len(kinds), 'kind')} of machines "
        f"({'; '.join(sorted(kinds))}), with {pluralize(len(digests), 'digest')} of "
        "the same small training"
    )
    mixed = [
        comparison.name(row.entry)
        for row in comparison.ranking
        if len({run.environment.canary for run in row.entry.runs} - {""}) > 1
    ]
    if len(digests) == 1:
        yield f"{about}: a seed ends the same on all of them."
    elif mixed:
        yield f"{about}: a seed may end differently on another. This affects {_join(mixed)}."
    else:
        yield f"{about}: a seed may end differently on another. This affects differences of models."


def _engines(comparison: Comparison) -> Iterator[str]:
    names = {
        engine: [
            comparison.name(entry)
            for entry in comparison.entries
            if any(run.engine == engine and run.train_seconds is not None for run in entry.runs)
        ]
        for engine in ("kernels", "torch")
    }
    if all(names.values()):
        yield (
            f"The C kernels trained {_join(names['kernels'])}, and torch "
            f"{_join(names['torch'])}: training times compare these too."
        )


def _few_seeds(comparison: Comparison) -> Iterator[str]:
    seeds = max(len(entry.runs) for entry in comparison.entries)
    if seeds == 1:
        yield "One seed each cannot tell how much of a difference is luck."
        yield from _single_networks(comparison)
    elif seeds < SEEDS_FOR_A_BAR:
        yield (
            f"{'Two' if seeds == 2 else 'Three'} seeds say almost nothing about how far runs "
            "scatter: their intervals are very wide, and the figures leave them out."
        )


def _single_networks(comparison: Comparison) -> Iterator[str]:
    """Tell of the networks themselves, each beside the most accurate one."""
    for row in comparison.ranking[1 : 1 + MOST_NAMED]:
        pair = row.pair
        p_value = None if pair is None else pair.mcnemar_p_value
        if pair is not None and p_value is not None:
            differ = "are not" if p_value < 1 - CONFIDENCE else "may be"
            yield (
                f"These two networks, {pair.a} and {pair.b}, {differ} right equally often "
                f"(McNemar's test, p = {p_value:.2g}); other seeds may say otherwise."
            )


_OF_AN_ENTRY = (_probed_at_random, _outcomes, _ties, _same_start, _remarks)
