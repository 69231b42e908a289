"""Runs on splits dealt anew: trained, told apart from the official split, and judged."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from factories import make_result

import fashionbench as fb
from fashionbench.experiments.result import Result
from fashionbench.inference.selection import find_best_checkpoint
from fashionbench.report.dealt import compare_over_splits, summarize_over_splits
from fashionbench.report.headline import compose_headline
from fashionbench.report.page import write_report
from fashionbench.report.terminal import build_entry_table, build_pair_table
from fashionbench.stats.splits import summarize_splits
from fashionbench.store.run_store import RunStore

ASKED = {"dataset": "silhouettes", "epochs": 1, "train_images": 320, "parallel": "serial"}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("dealt")
    return fb.compare(["v0", "mlp"], seeds=2, splits=2, out=folder, **ASKED)


def test_every_run_is_made_on_every_split_and_the_official_one_stays(
    compared: Result, tmp_path: Path
) -> None:
    plain = fb.compare(["v0", "mlp"], seeds=2, out=tmp_path, **ASKED)
    for row, alone in zip(compared.entries, plain.entries, strict=True):
        assert row.accuracies == alone.accuracies
        assert [[run.job.split for run in runs] for runs in row.dealt] == [[1, 1], [2, 2]]
        losses = {tuple(run.losses[:5].tolist()) for runs in (row.runs, *row.dealt) for run in runs}
        assert len(losses) == 6
        assert all(run.train_seconds is not None for run in row.runs)
        assert {run.train_images for runs in row.dealt for run in runs} == {320}
    assert plain.document.pairs[0].over_splits is None
    assert json.loads(compared.to_json())["splits"] == 2
    # What was trained on official test images is never taken for the best model.
    official = {run.job.key[:6] for row in compared.entries for run in row.runs}
    assert find_best_checkpoint(compared.folder).stem[-6:] in official


def test_processes_deal_the_same_splits(compared: Result, tmp_path: Path) -> None:
    asked = ASKED | {"parallel": "processes"}
    again = fb.compare(["v0", "mlp"], seeds=2, splits=2, out=tmp_path, **asked)
    for row, other in zip(compared.entries, again.entries, strict=True):
        for runs, others in zip(row.dealt, other.dealt, strict=True):
            assert [r.scores.accuracy for r in runs] == [r.scores.accuracy for r in others]


def test_numbers_over_splits_are_those_of_the_splits_means(tmp_path: Path) -> None:
    first, second = _dealt(tmp_path).entries
    images = {"train_images": 1000, "test_images": 200}
    means = [
        [fmean(run.scores.accuracy for run in runs) for runs in row.dealt]
        for row in (first, second)
    ]
    assert summarize_over_splits(first) == summarize_splits(means[0], **images)
    gaps = [a - b for a, b in zip(*means, strict=True)]
    found = compare_over_splits(first, second, pairs=1)
    assert found.mean == pytest.approx(fmean(gaps))
    assert found.low == pytest.approx(summarize_splits(gaps, **images).low)
    # Of unfinished splits the seeds that both have count.
    fewer = replace(second, dealt=(second.dealt[0][1:], *second.dealt[1:]))
    shared = first.dealt[0][1:], second.dealt[0][1:]
    gap = fmean(a.scores.accuracy - b.scores.accuracy for a, b in zip(*shared, strict=True))
    assert compare_over_splits(first, fewer, pairs=1).mean == pytest.approx(fmean([gap, *gaps[1:]]))
    assert compare_over_splits(first, replace(second, dealt=second.dealt[:1]), pairs=1) is None


def test_the_official_split_keeps_its_name_wherever_numbers_of_others_stand(
    tmp_path: Path,
) -> None:
    from rich.console import Console

    result = _dealt(tmp_path)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(build_entry_table(result))
        console.print(build_pair_table(result))
    shown = " ".join(capture.get().split())
    assert "official % 95 % interval dealt % 95 % dealt" in shown
    assert "on 3 splits dealt anew" in shown
    assert " seeds on the official split, and " in compose_headline(result)
    write_report(result)
    assert '<th scope="col">Official split</th>' in (tmp_path / "report.html").read_text("utf-8")
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "| official split, % |" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("| v0 |")}) == 1
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows[:4]}) == 1  # headings, rule and both rows
    assert len({line.count("|") for line in rows[4:]}) == 1


def _dealt(folder: Path) -> Result:
    """A result with runs on three splits, on each of which v0 is better by another difference."""
    result = make_result(folder, models=("v0", "mlp"), seeds=3, splits=3)
    store = RunStore(folder)
    for group in result.study.groups():
        for job in group:
            if job.split:
                run = store.load_run(job.model_copy(update={"split": 0}))
                moved = run.scores.accuracy + (0.1 + 0.01 * job.split) * (job.model == "v0")
                scores = replace(run.scores, accuracy=moved)
                store.save_run(replace(run, job=job, scores=scores, train_images=1000))
    return Result.load(folder)
