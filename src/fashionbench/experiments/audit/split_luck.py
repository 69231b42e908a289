"""How lucky the official split is: its parts against each other, and against splits dealt anew."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray

from fashionbench.experiments.audit.dealt import Dealt
from fashionbench.experiments.audit.findings import Pooled
from fashionbench.experiments.audit.labels import Judge
from fashionbench.experiments.audit.neighbours import Neighbours, find_neighbours
from fashionbench.report.audit.audit_document import (
    ClassScores,
    DealPlace,
    JudgeOnParts,
    PartScores,
    PositionTest,
    Split,
)
from fashionbench.stats.deals import Place, deal, judge_by_neighbours, neighbours_needed, place
from fashionbench.stats.metrics import classify, image_losses
from fashionbench.stats.parts import compare_parts, evenness, shares_by_tenth

__all__ = ["compare_judge", "find_positions", "place_dealt", "place_neighbours"]

DEALS = 2000
"""For the judge by neighbours, which costs nothing once neighbours are known."""


def compare_judge(judge: Judge, pooled: Pooled) -> JudgeOnParts:
    """Compare what a judge scores on training images that it did not see and on test images."""
    first, second = pooled.parts
    train = judge.judgement.train
    test = judge.judgement.test.reshape(-1, *judge.judgement.test.shape[2:])
    hits = _hits(train, first), _hits(test, second)
    losses = _losses(train, first), _losses(test, second)
    return JudgeOnParts(
        model=judge.jobs[0].model,
        accuracy=_compare(*hits),
        loss=_compare(*losses),
        classes=[
            ClassScores(label=name, accuracy=_compare(hits[0][first == k], hits[1][second == k]))
            for k, name in enumerate(pooled.classes)
            if min((first == k).sum(), (second == k).sum()) > 1
        ],
    )


def _hits(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (N,) the share of the runs that are right, by (R, N, K) logits."""
    return np.asarray(np.mean([classify(of_run) == labels for of_run in logits], axis=0))


def _losses(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (N,) the mean cross-entropy over the runs."""
    return np.asarray(np.mean([image_losses(of_run, labels) for of_run in logits], axis=0))


def _compare(first: NDArray[np.float64], second: NDArray[np.float64]) -> PartScores:
    found = compare_parts(first, second)
    return PartScores(
        train=found.first,
        test=found.second,
        difference=found.difference,
        low=found.low,
        high=found.high,
    )


def place_neighbours(images: torch.Tensor, pooled: Pooled) -> tuple[list[DealPlace], Neighbours]:
    """Place the official split by the nearest training image: how often it is right, how far."""
    tests = len(images) - pooled.train_images
    neighbours = find_neighbours(images, neighbours_needed(len(images), tests))
    wanted = np.bincount(pooled.parts[1], minlength=len(pooled.classes))
    rng = np.random.default_rng(0)

    def splits() -> Iterator[NDArray[np.bool_]]:
        yield pooled.testing
        for _ in range(DEALS):
            yield deal(pooled.labels, wanted, rng)

    judged = judge_by_neighbours(
        neighbours.positions, neighbours.distances, pooled.labels, splits()
    )
    (accuracy, distance), *dealt = judged
    accuracies, distances = zip(*dealt, strict=True)
    return [
        _name("accuracy of the nearest training image", place(accuracy, accuracies)),
        _name("distance to the nearest training image", place(distance, distances)),
    ], neighbours


def place_dealt(model: str, dealt: Dealt) -> DealPlace:
    """Place the official split by the accuracies of a judge that was trained on every deal."""
    official = float(dealt.official.mean())
    return _name(f"accuracy of {model}", place(official, dealt.dealt.tolist()))


def _name(what: str, found: Place) -> DealPlace:
    fields = asdict(found)
    return DealPlace(what=what, deals=fields.pop("n"), **fields)


def find_positions(
    pooled: Pooled, neighbours: Neighbours, judges: Sequence[Judge]
) -> list[PositionTest]:
    """Ask whether the position in the file tells of a class, of a neighbour, or of an error."""
    found = []
    splits: tuple[Split, Split] = ("train", "test")
    for split, labels in zip(splits, pooled.parts, strict=True):
        if len(labels) < 100:  # ten an tenth are the least that a mean is made of
            continue
        # Of classes in any order, the mean label changes along a sorted file.
        found.append(_by_tenth("label, counted from 0", split, labels))
        offset = 0 if split == "train" else pooled.train_images
        nearest = neighbours.positions[offset : offset + len(labels), 0]
        beside = np.abs(nearest - offset - np.arange(len(labels))) == 1
        found.append(_by_tenth("nearest image is the one before or after", split, beside))
        if judges:
            hits = [_judged_right(judge, split, labels) for judge in judges]
            found.append(_by_tenth("accuracy of the judges", split, np.mean(hits, axis=0)))
    return found


def _judged_right(judge: Judge, split: Split, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    said = judge.judgement
    logits = said.train if split == "train" else said.test.reshape(-1, *said.test.shape[2:])
    return _hits(logits, labels)


def _by_tenth(what: str, split: Split, values: NDArray[np.generic]) -> PositionTest:
    return PositionTest(
        what=what,
        split=split,
        tenths=shares_by_tenth(values).tolist(),
        p_value=evenness(values),
    )
