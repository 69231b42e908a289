"""Runs on splits dealt anew, summarized for a row and compared for two."""

from statistics import fmean

from fashionbench.report.entries import Entry
from fashionbench.stats.splits import OverSplits, summarize_splits
from fashionbench.store.records import RunRecord

__all__ = ["compare_over_splits", "summarize_over_splits"]


def summarize_over_splits(entry: Entry) -> OverSplits | None:
    """Return a row's accuracy over splits; None where fewer than two have finished runs."""
    means = [fmean(run.scores.accuracy for run in runs) for runs in entry.dealt if runs]
    return summarize_splits(means, **_count_images(entry)) if means else None


def compare_over_splits(a: Entry, b: Entry, *, pairs: int) -> OverSplits | None:
    """Return how much more accurate a is than b, on splits and from seeds that both have."""
    means = []
    for runs, others in zip(a.dealt, b.dealt, strict=False):
        accuracies, against = _by_seed(runs), _by_seed(others)
        if shared := accuracies.keys() & against.keys():
            means.append(fmean(accuracies[seed] - against[seed] for seed in sorted(shared)))
    if not means:
        return None
    # Where one recipe trains on fewer images, splits have least in common.
    images = min(_count_images(a), _count_images(b), key=lambda each: each["train_images"])
    return summarize_splits(means, **images, pairs=pairs)


def _by_seed(runs: tuple[RunRecord, ...]) -> dict[int, float]:
    return {run.job.seed: run.scores.accuracy for run in runs}


def _count_images(entry: Entry) -> dict[str, int]:
    """Count the images that a run was trained on, and those that it was scored on."""
    run = next(run for runs in entry.dealt for run in runs)
    assert run.train_images is not None  # older records are of the official split
    return {"train_images": run.train_images, "test_images": len(run.predicted)}
