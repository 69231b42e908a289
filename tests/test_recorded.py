"""What the documents say of measurements is what was recorded."""

import importlib
import json
import math
import re
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

from fashionbench.models.table import MODELS
from fashionbench.report.audit.audit_document import AuditDocument
from fashionbench.report.numbers import format_points

ROOT = Path(__file__).parent.parent


def words(document: str) -> str:
    """Return a document's text with every break of a line as a blank."""
    return " ".join((ROOT / document).read_text("utf-8").split())


def test_the_readmes_table_is_the_recorded_one() -> None:
    text = words("README.md")
    recorded = json.loads((ROOT / "docs" / "results" / "three-models.json").read_text("utf-8"))
    assert recorded["dataset"] == "fashion-mnist"
    for entry in recorded["entries"]:
        accuracy, seconds = entry["accuracy"], entry["train_seconds"]
        description = MODELS[entry["model"]].description
        row = (
            f"| `{entry['model']}` | {entry['label']} | {description} | {entry['parameters']:,} "
            f"| {100 * accuracy['mean']:.2f} ± {100 * accuracy['sd']:.2f} "
            f"| {100 * accuracy['low']:.1f} to {100 * accuracy['high']:.1f} "
            f"| {seconds['mean']:.1f} ({seconds['n']}) |"
        )
        assert row in text
        assert accuracy["n"] == 5
    assert "three differences holds for other seeds and for other test images" in text
    assert {pair["in_words"] for pair in recorded["pairs"]} == {"better", "worse"}
    assert "each model is trained from five seeds" in text
    assert recorded["processor"] in text
    assert f"torch {recorded['versions']['torch']}" in text


def test_the_speeds_are_those_recorded() -> None:
    text = words("docs/speed.md")
    recorded = {
        name: json.loads((ROOT / "benchmarks" / f"{name}.json").read_text("utf-8"))
        for name in ("against_loop", "many_seeds", "augmentation", "onnx_latency")
    }
    for result in recorded["against_loop"]["results"]:
        summary = result["summary"]
        row = (
            f"| {summary['model']} | {summary['loop_seconds']:.1f} | {summary['fit_seconds']:.1f} "
            f"| {summary['ratio']:.1f} ({summary['ratio_low']:.1f} to {summary['ratio_high']:.1f})"
        )
        assert row in text
    for result in recorded["many_seeds"]["results"]:
        summary = result["summary"]
        row = "| {model} | {seeds} | {seconds_a_seed:.1f} | {ratio:.1f} |".format(**summary)
        assert row in text
        assert f"medians of {summary['rounds']}" in text
    times = recorded["many_seeds"]["comparison"]["times_the_loops"]
    assert f"takes {times:.1f} times what the loop takes" in text
    on_gpu = json.loads((ROOT / "benchmarks" / "hundred_seeds.json").read_text("utf-8"))
    rounds = {1: "one round"}[on_gpu["rounds"]]
    assert f"({on_gpu['device']}, torch {on_gpu['torch'].partition('+')[0]}, {rounds} of" in text
    loops = sum(result["loop_seconds"] for result in on_gpu["results"])
    assert f"take {on_gpu['all_seconds']:.0f} seconds in all" in text
    assert f"the loop takes {loops:.0f} for one seed of each" in text
    for result in on_gpu["results"]:
        row = (
            "| {model} | {loop_seconds:.1f} | {one_seconds:.1f} | {all_seconds:.1f} "
            "| {loop_in_times_of_a_seed:.0f} |"
        )
        assert row.format(**result) in text
        assert result["seeds"] == 100
    faster = recorded["augmentation"]["summary"]["times_as_fast_as"]["dataloader-2"]["median"]
    assert f"Augmentation is {faster:.0f} times as fast" in text
    ratios = [result["ratio"] for result in recorded["onnx_latency"]["results"]]
    assert f"{min(ratios):.0f} to {max(ratios):.0f} times as fast in ONNX Runtime" in text


def test_the_coverage_of_intervals_is_what_was_simulated() -> None:
    recorded = json.loads((ROOT / "benchmarks" / "coverage.json").read_text("utf-8"))
    text = words("docs/statistics.md")
    for seeds in (2, 3, 5, 20):
        rows = [row for row in recorded["accuracy_rows"] if row["seeds"] == seeds]
        cells = [f"{100 * row['ours']:.1f} % ({100 * row['t_interval']:.1f})" for row in rows]
        assert f"| {seeds} | {' | '.join(cells)} |" in text
    assert f"In {recorded['accuracy_count']:,} simulated comparisons of each kind" in text


def test_the_readme_repeats_the_recorded_speeds() -> None:
    readme = words("README.md")
    summaries = {
        name: {
            result["summary"]["model"]: result["summary"]
            for result in json.loads((ROOT / "benchmarks" / f"{name}.json").read_text("utf-8"))[
                "results"
            ]
        }
        for name in ("against_loop", "many_seeds")
    }
    one, many = summaries["against_loop"], summaries["many_seeds"]
    assert f"One run of V0 is {one['v0']['ratio']:.1f} times as fast" in readme
    assert f"one of V2 {one['v2']['ratio']:.1f} times" in readme
    for model in ("v0", "v2"):
        assert f"{many[model]['ratio']:.1f}" in readme
    assert f"with {many['v0']['seeds']} and {many['v2']['seeds']} seeds" in readme
    on_gpu = json.loads((ROOT / "benchmarks" / "hundred_seeds.json").read_text("utf-8"))
    assert f"take {on_gpu['all_seconds']:.0f} seconds in all" in readme


@pytest.mark.parametrize(
    ("page", "script", "key", "more"),
    [
        ("augmentation", "augmentation", "models", (10,)),
        ("epochs", "epochs", "models", ()),
        ("optimizers", "optimizers", "models", ()),
        ("three-tuned", "three_tuned", "comparison", ()),
        ("transfer", "transfer", "rows", ()),
        ("luck", "luck", "rows", ()),
        ("v1-study", "v1", "widths", ()),
        ("validation", "validation", "models", ()),
        ("zoo", "zoo", "models", ()),
    ],
)
def test_a_studys_page_is_what_it_writes_of_its_record(
    page: str, script: str, key: str, more: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "studies")
    monkeypatch.setattr(sys, "argv", [f"studies/{script}.py"])
    recorded = json.loads((ROOT / "docs" / "results" / f"{page}.json").read_text("utf-8"))
    written = importlib.import_module(script).page(recorded[key], *more)
    assert written == (ROOT / "docs" / f"{page}.md").read_text("utf-8")


def test_the_readme_says_what_the_study_of_luck_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "studies")
    estimate = importlib.import_module("luck").estimate
    rows = json.loads((ROOT / "docs" / "results" / "luck.json").read_text("utf-8"))["rows"]
    by_model = {(row["model"], row["recipe"]): row for row in rows}
    parts = ("order", "weights")
    runs = {key: np.array([*row["accuracies"].values()]) for key, row in by_model.items()}
    # Of ten classes alike frequent, who names one alone is right in a tenth.
    collapsed = {key: np.isclose(found, 0.1) for key, found in runs.items()}
    sds = [
        100 * stdev(runs[key][0][~collapsed[key].any(axis=0)])
        for model in ("v0", "v2")
        for rate in ("falling", "constant")
        for key in [(model, f"{rate} rate")]
    ]
    text = words("README.md")
    assert f"V0 scatters by {sds[0]:.2f} points over seeds instead of {sds[1]:.2f}" in text
    assert f"V2 by {sds[2]:.2f} instead of {sds[3]:.2f}; at either rate, 2 of 300 runs" in text
    for rate in ("falling", "constant"):
        assert (collapsed["v2", f"{rate} rate"].sum(), runs["v2", f"{rate} rate"].size) == (2, 300)
    assert (
        "is the order of the images for V0 and V2, the first weights for V1, and both for the MLP"
        in text
    )
    lowest = {
        (model, rate): {part: estimate(by_model[model, rate])[part][1] for part in parts}
        for model, rate in by_model
        if rate != "averaged weights"
    }
    assert lowest["v0", "constant rate"]["order"] > 0.9
    for model in ("v1", "v2"):
        part, other = parts if model == "v2" else parts[::-1]
        assert lowest[model, "constant rate"][part] > 0 > lowest[model, "constant rate"][other]
    assert min(lowest["mlp", "constant rate"].values()) > 0
    assert "it is the first weights for all" in text
    for (_, rate), low in lowest.items():
        assert rate == "constant rate" or low["weights"] > 0 >= low["order"]


def test_the_v1_study_says_what_its_figures_say() -> None:
    figures = json.loads((ROOT / "docs" / "results" / "v1-study.json").read_text("utf-8"))
    text = (ROOT / "docs" / "v1-study.md").read_text("utf-8")
    readme = words("README.md")
    first = figures["widths"][0]
    cost = 100 * first["differences"]["all"]["mean"]
    assert f"costs V1 {cost:.1f} points of accuracy, over {len(first['v1'])} seeds" in readme
    ties = first["ties"]
    moved = max(
        abs(other - accuracy)
        for rule in ("by_chance", "by_last")
        for other, accuracy in zip(ties[rule], ties["accuracy"], strict=True)
    )
    said = f"ties on {fmean(ties['images']) / 100:.1f} % of the test images, and one of its runs"
    assert f"{said} gets up to {100 * moved:.1f} points" in words("docs/statistics.md")
    for width in figures["widths"]:
        gap = fmean(width["mlp"]) - fmean(width["v1"])
        assert f"{100 * gap:.1f} (" in text
        assert gap == pytest.approx(width["differences"]["all"]["mean"])
        with_dead = fmean(count > 0 for count in width["dead_logits"])
        assert f"| {100 * with_dead:.0f} % | {len(width['v1'])} |" in text
        assert len(width["v1"]) == len(width["mlp"]) >= 256


def test_what_is_said_of_photos_is_what_was_recorded() -> None:
    recorded = json.loads((ROOT / "benchmarks" / "photos.json").read_text("utf-8"))
    page = (ROOT / "docs" / "photos.md").read_text("utf-8")
    figures = [
        f"| {100 * result['top1']:.1f} % | {100 * result['top3']:.1f} % "
        f"| {100 * result['sure']:.0f} % | {100 * result['top1_of_sure']:.0f} % |"
        for result in recorded["results"].values()
    ]
    assert re.findall(r"^\| [^|]+ (\|(?: [\d.]+ % \|){4})$", page, re.MULTILINE) == figures
    assert recorded["model"].lower().replace(" ", ":") in page
    results, readme = recorded["results"], words("README.md")
    assert f"of {recorded['photos']} photos" in readme
    for way in ("fitted on other photos", "grey and resize"):
        assert f"{100 * results[way]['top1']:.0f} %" in readme
    assert f"{100 * results['fitted on other photos']['top3']:.0f} % have the right" in readme


def test_the_study_of_optimizers_says_what_its_figures_say() -> None:
    figures = json.loads((ROOT / "docs" / "results" / "optimizers.json").read_text("utf-8"))
    text = (ROOT / "docs" / "optimizers.md").read_text("utf-8")
    readme = words("README.md")
    for model in figures["models"]:
        budget = model["budget"]
        means = {of["kind"]: fmean(of["accuracies"]) for of in model["optimizers"]}
        assert max(means, key=lambda kind: means[kind]) == model["best"]
        for of in model["optimizers"]:
            exact = 100 * means[of["kind"]]  # which ends in a five for one: either way is right
            assert any(f"{exact + tiny:.2f}" in text for tiny in (-1e-9, 1e-9))
            assert len(of["accuracies"]) == budget["seeds"]
            assert ", ".join(f"{rate:g}" for rate in of["rates"]) in text
            trials = model["trials"][of["kind"]]
            assert len({t["point"] for t in trials if t["stage"] == 1}) >= budget["trials"]
            for study, rate in enumerate(of["rates"]):
                losses: dict[float, list[float]] = {}
                for trial in trials:
                    if (trial["study"], trial["stage"]) == (study, 2):
                        tried = trial["settings"]["learning_rate"]
                        loss = trial["loss"] if trial["outcome"] == "ok" else math.inf
                        losses.setdefault(tried, []).append(loss)
                assert all(len(found) == 3 for found in losses.values())
                best = min(losses, key=lambda tried: fmean(losses[tried]))
                assert rate in (best, of["usual_rate"]), "the best, or in a tie the usual one"
        assert f"{model['best']}" in readme


def test_the_study_of_epochs_says_what_its_figures_say() -> None:
    figures = json.loads((ROOT / "docs" / "results" / "epochs.json").read_text("utf-8"))
    text = (ROOT / "docs" / "epochs.md").read_text("utf-8")
    for model in figures["models"]:
        least = 5 if model["model"] == "v2" else 20
        assert len(model["validation_loss"]) == len(model["stopped_after"]) >= least
        gain = model["stopped"]["accuracy"]["mean"] - model["whole"]["accuracy"]["mean"]
        assert gain == pytest.approx(model["gain"]["mean"])
        assert f"test accuracy by {format_points(model['gain']['mean'])} points" in text
        after_three = fmean(curve[2] for curve in model["validation_accuracy"])
        assert f"| {model['label']} | {100 * after_three:.1f} |" in text
        assert all(
            ended - best == 5 or ended == 50
            for ended, best in zip(model["stopped_after"], model["best_epoch"], strict=True)
        )
    settled = re.findall(r"shows no gain after (\d+) epochs", text)
    assert max(map(int, settled)) == 9
    assert "after nine epochs of plain SGD" in words("README.md")


def test_the_study_of_transfer_says_what_its_figures_say() -> None:
    figures = json.loads((ROOT / "docs" / "results" / "transfer.json").read_text("utf-8"))
    text = (ROOT / "docs" / "transfer.md").read_text("utf-8")
    readme = words("README.md")
    for row in figures["rows"]:
        random, published = (row["starts"][key] for key in ("random weights", "CIFAR-10"))
        means = [fmean(start["accuracies"]) for start in (random, published)]
        assert row["gain"]["mean"] == pytest.approx(means[1] - means[0])
        assert min(len(start["accuracies"]) for start in (random, published)) >= 5
        assert (
            f"| {row['model']} | {row['images']:,} | {row['epochs']} | {100 * means[0]:.2f} ("
            in text
        )
        assert f"{100 * row['gain']['mean']:.0f}" in readme
        assert f"{row['images']:,}" in readme


def test_the_table_of_the_zoo_is_the_recorded_one() -> None:
    figures = json.loads((ROOT / "docs" / "results" / "zoo.json").read_text("utf-8"))
    page, readme = (ROOT / "docs" / "zoo.md").read_text("utf-8"), words("README.md")
    for model in figures["models"]:
        accuracy = model["accuracy"]
        between = f"{100 * accuracy['low']:.2f} to {100 * accuracy['high']:.2f}"
        start = f"| `{model['model']}` | {model['parameters']:,} |"
        assert f"{start} {model['flops_per_image'] / 1e6:.2f} |" in page
        assert f"| {100 * fmean(model['accuracies']):.2f} ({between}) |" in page
        assert len(model["accuracies"]) == accuracy["n"] >= 5
    ranked = sorted(figures["models"], key=mean_accuracy)
    for model in ranked[0], ranked[-1]:
        size = f"{model['parameters']:,} parameters"
        assert f"{100 * mean_accuracy(model):.2f} % with `{model['model']}` ({size})" in readme


def mean_accuracy(model: dict[str, Any]) -> float:
    return fmean(model["accuracies"])


def test_the_study_of_augmentation_says_what_its_figures_say() -> None:
    figures = json.loads((ROOT / "docs" / "results" / "augmentation.json").read_text("utf-8"))
    text = (ROOT / "docs" / "augmentation.md").read_text("utf-8")
    for model in figures["models"]:
        means = {kind["kind"]: fmean(kind["accuracies"]) for kind in model["kinds"]}
        for kind in model["kinds"]:
            assert len(kind["accuracies"]) == kind["accuracy"]["n"] >= 5
            assert f"| {kind['kind']} | {100 * means[kind['kind']]:.2f} (" in text
            if kind["gain"]:
                assert kind["gain"]["mean"] == pytest.approx(means[kind["kind"]] - means["none"])
                better = kind["gain"]["word"] == "better"
                worse = kind["gain"]["word"] == "worse"
                assert not better or kind["gain"]["low"] > 0
                assert not worse or kind["gain"]["high"] < 0
                named = f"{kind['kind'].replace(', ', '+')} ({format_points(kind['gain']['mean'])}"
                assert (named in text.split("**Answer:**")[1].split("\n")[0]) == (better or worse)
    v2, vgg = (
        next(-100 * kind["gain"]["mean"] for kind in model["kinds"] if kind["kind"] == "cutmix")
        for model in figures["models"]
    )
    assert f"CutMix costs them {v2:.1f} and {vgg:.1f} points" in words("README.md")


def test_the_audit_of_fashion_mnist_says_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "studies")
    recorded = json.loads((ROOT / "docs" / "results" / "fashion-mnist.json").read_text("utf-8"))
    document = AuditDocument.model_validate(recorded["audit"])
    study = importlib.import_module("fashion_mnist")
    written = study.page(document, recorded["published_at_ranks"], recorded["made"])
    assert written == (ROOT / "docs" / "fashion-mnist.md").read_text("utf-8")
    assert document.labels is not None
    consensus = {count.split: count.consensus for count in document.labels.counts}
    found = recorded["doubted_by_consensus"]
    assert {split: len(positions) for split, positions in found.items()} == consensus
    assert document.doubtful_test_images["label"] == found["test"]
    of_test = document.labels.counts[1]
    differences = [-100 * judge.accuracy.difference for judge in document.split.judges]
    for said in (
        f"and {len(recorded['near_doubles'])} near ones",
        f"{of_test.consensus} test labels ({100 * document.labels.floor.share:.2f} %)",
        f"all of {of_test.runs} runs",
        f"score {min(differences):.1f} to {max(differences):.1f} points below",
    ):
        assert said in words("README.md"), said


def test_the_cost_of_tuning_is_the_recorded_one() -> None:
    s = json.loads((ROOT / "benchmarks" / "tuning.json").read_text("utf-8"))["summary"]
    text = words("docs/speed.md")
    assert f"takes {s['ratio']:.1f} times as long as without" in text
    assert f"({s['tuned_seconds']:.1f} s and {s['seconds']:.1f} s from start to end" in text
    assert s["ratio"] <= 6


def test_the_readme_says_by_how_much_tuning_moves_the_three_models() -> None:
    record = json.loads((ROOT / "docs" / "results" / "three-tuned.json").read_text("utf-8"))
    tuning, readme = record["comparison"]["tuning"], words("README.md")
    assert f"order of V0, V1 and V2 {'changes' if tuning['order_changed'] else 'stays'}" in readme
    for entry in tuning["entries"]:
        gain = f"{100 * entry['gain']['mean']:+.1f}".replace("-", "\N{MINUS SIGN}")
        assert f"{entry['model'].upper()} by {gain}" in readme


def test_what_an_audit_finds_of_what_is_planted_is_the_recorded_share() -> None:
    record = json.loads((ROOT / "benchmarks" / "planted.json").read_text("utf-8"))
    summary, text = record["summary"], words("docs/audit.md")
    for judges, found in summary["labels"].items():
        either, consensus, first = (
            found[name] for name in ("either", "consensus", "the first 100")
        )
        shares = (
            either["precision"],
            either["recall"],
            consensus["precision"],
            first["precision"],
        )
        cells = " | ".join(f"{100 * share:.0f} %" for share in shares)
        names = ", ".join(f"`{name}`" for name in judges.split(", "))
        assert f"| {names} | {either['named']:.0f} | {cells} |" in text
        assert either["recall"] >= 0.95
    doubles = summary["doubles"]
    assert f"it finds {100 * doubles['recall']:.0f} %" in text
    assert f"and {100 * doubles['precision']:.1f} % of the pairs" in text
    assert min(doubles["recall"], doubles["precision"]) >= 0.99
    assert f"means of {len(record['runs'])} rounds" in text.lower()


def test_the_speed_of_photos_is_the_recorded_one() -> None:
    record = json.loads((ROOT / "benchmarks" / "photo_speed.json").read_text("utf-8"))
    rates, steps = record["photos_a_second"], record["seconds_on_one_thread"]
    text = words("docs/speed.md")
    assert (
        f"classifies {rates['as they are']:.1f} photos a second on {record['cores']} cores" in text
    )
    assert f"and {rates['HEIC of 12 megapixels']:.1f} that are HEIC of 12 megapixels" in text
    assert f"{steps['prepare']:.2f} s to prepare" in text
    assert f"takes {steps['network']:.2f} s" in text
    assert rates["as they are"] >= 4


def test_the_speed_of_the_search_for_doubles_is_the_recorded_one() -> None:
    record = json.loads((ROOT / "benchmarks" / "doubles.json").read_text("utf-8"))
    summary = record["summary"]
    seconds, peak = summary["seconds"], summary["peak_megabytes"]["fashionbench"]
    text = words("docs/speed.md")
    assert f"takes {seconds['fashionbench']:.1f} s for all 70,000 images and {peak} MB" in text
    assert (
        f"takes {seconds['scikit-learn']:.1f} s, {summary['times_as_fast']['median']:.1f} times"
        in text
    )
    assert summary["times_as_fast"]["median"] >= 3
    assert peak < 1000


def test_what_workers_cost_is_the_recorded_share() -> None:
    record = json.loads((ROOT / "benchmarks" / "workers.json").read_text("utf-8"))
    overhead, intake, simulated = (record[key] for key in ("overhead", "intake", "simulation"))
    text = words("docs/cluster.md")
    assert f"take {overhead['ratio']['workers']:.2f} times as long by two workers" in text
    assert f"`--on workers:2` takes {overhead['ratio']['on workers:2']:.2f} times as long" in text
    assert f"Medians of {len(overhead['seconds']['workers'])} rounds in turn" in text
    assert overhead["ratio"]["workers"] <= 1.03
    assert f"taken in within {intake['seconds']:.1f} s and {intake['peak_mb']:.0f} MB" in text
    assert intake["seconds"] < 30
    assert intake["peak_mb"] < 300
    one, stacked = (simulated[way] for way in ("one by one", "stacked"))
    assert f"is trained {one['trainings_a_run']:.3f} times on average" in text
    assert f"and {stacked['trainings_a_run']:.3f} times where a block" in text
    assert max(one["trainings_a_run"], stacked["trainings_a_run"]) <= 1.02
    assert one["blocks_left"] == stacked["blocks_left"] == 0
