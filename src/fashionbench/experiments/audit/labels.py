"""Doubtful labels: those that nearly all runs disagree with, and confident learning by cleanlab.

Confident learning is that of Northcutt, Jiang and Chuang 2021 (arXiv 1911.00068), with the
probabilities of our own judges: of training images out of fold, of test images by all models.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fashionbench.config.study import Job
from fashionbench.errors import MissingPackage
from fashionbench.experiments.audit.findings import Pooled
from fashionbench.experiments.audit.folds import Judgement
from fashionbench.report.audit.audit_document import (
    ErrorFloor,
    JudgeSummary,
    LabelCount,
    LabelsFound,
    Split,
    Suspect,
)
from fashionbench.stats.intervals import share_interval
from fashionbench.stats.metrics import classify, log_softmax
from fashionbench.stats.votes import count_votes, find_consensus, most_called, share_disagreeing

__all__ = [
    "Judge",
    "Opinion",
    "check_cleanlab",
    "describe_labels",
    "find_suspects",
    "form_opinions",
    "noise_matrix",
]

LISTED = 10_000
"""Suspects of a split that the document lists at most."""


@dataclass(frozen=True)
class Judge:
    """A model that judges, by the jobs of its seeds, and what it said."""

    jobs: Sequence[Job]
    judgement: Judgement


def check_cleanlab() -> None:
    """Raise MissingPackage where cleanlab is not installed: before anything is trained."""
    try:
        import cleanlab  # noqa: F401
    except ImportError:
        raise MissingPackage("Finding doubtful labels", "cleanlab", "audit") from None


@dataclass(frozen=True)
class Opinion:
    """What all judges together say of N images."""

    probabilities: NDArray[np.float64]
    """(N, K) mean over the runs, each judge counting alike."""
    votes: NDArray[np.int64]
    """(N, K) runs that call an image a class."""


def form_opinions(judgements: Sequence[Judgement]) -> tuple[Opinion, Opinion]:
    """Return the opinions on the training and on the test images."""
    of_train = [judgement.train for judgement in judgements]
    of_test = [judgement.test.reshape(-1, *judgement.test.shape[2:]) for judgement in judgements]
    return _form(of_train), _form(of_test)


def _form(logits: Sequence[NDArray[np.float32]]) -> Opinion:
    """Return the opinion of judges by their (R, N, K) logits."""
    means = [
        np.mean([np.exp(log_softmax(of_run)) for of_run in of_judge], axis=0) for of_judge in logits
    ]
    predicted = np.concatenate([[classify(of_run) for of_run in of_judge] for of_judge in logits])
    return Opinion(np.mean(means, axis=0), count_votes(predicted, logits[0].shape[2]))


def find_suspects(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return the positions whose labels confident learning doubts, the most doubtful first."""
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings(action="ignore"):  # of classes with few images
        # In one process: cleanlab would start as many as there are processors.
        found = find_label_issues(
            labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
        )
    return np.asarray(found, np.intp)


def noise_matrix(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (K, K) estimates: of images that are truly the row's class, the share so labelled."""
    from cleanlab.count import compute_confident_joint, estimate_latent

    joint = compute_confident_joint(labels, probabilities)
    _, given_by_true, _ = estimate_latent(joint, labels)
    return np.asarray(given_by_true.T, np.float64)


def describe_labels(judges: Sequence[Judge], pooled: Pooled) -> LabelsFound:
    """Find the doubtful labels of training and test images."""
    opinions = form_opinions([judge.judgement for judge in judges])
    labels = pooled.parts
    of_train, suspects = _doubt("train", opinions[0], labels[0], pooled)
    of_test, test_suspects = _doubt("test", opinions[1], labels[1], pooled)
    consensus = find_consensus(opinions[1].votes, labels[1])
    low, high = share_interval(int(consensus.sum()), len(consensus))
    return LabelsFound(
        judges=[_summarize(judge, *labels, consensus) for judge in judges],
        counts=[of_train, of_test],
        noise=noise_matrix(labels[0], opinions[0].probabilities).tolist(),
        floor=ErrorFloor(share=float(consensus.mean()), low=low, high=high),
        suspects=[*test_suspects, *suspects],
    )


def _doubt(
    split: Split, opinion: Opinion, labels: NDArray[np.int64], pooled: Pooled
) -> tuple[LabelCount, list[Suspect]]:
    """Count and list the suspects of a split, the least probable label first."""
    consensus = find_consensus(opinion.votes, labels)
    confident = np.isin(np.arange(len(labels)), find_suspects(labels, opinion.probabilities))
    probability = opinion.probabilities[np.arange(len(labels)), labels]
    disagreeing = share_disagreeing(opinion.votes, labels)
    called = most_called(opinion.votes, labels)
    doubtful = np.flatnonzero(consensus | confident)
    # Those that both doubt come first.
    order = doubtful[np.lexsort((probability[doubtful], ~(consensus & confident)[doubtful]))]
    offset = pooled.train_images if split == "test" else 0
    suspects = [
        Suspect(
            image=pooled.place(row + offset),
            seems=pooled.classes[called[row]],
            probability=float(probability[row]),
            disagreeing=float(disagreeing[row]),
            is_consensus=bool(consensus[row]),
            is_confident=bool(confident[row]),
        )
        for row in order[:LISTED].tolist()
    ]
    count = LabelCount(
        split=split,
        images=len(labels),
        runs=int(opinion.votes[0].sum()),
        confident=int(confident.sum()),
        consensus=int(consensus.sum()),
        both=int((consensus & confident).sum()),
    )
    return count, suspects


def _summarize(
    judge: Judge,
    labels: NDArray[np.int64],
    test_labels: NDArray[np.int64],
    consensus: NDArray[np.bool_],
) -> JudgeSummary:
    job, said = judge.jobs[0], judge.judgement
    folds = len(said.test)
    hits = np.array([[classify(logits) == test_labels for logits in fold] for fold in said.test])
    return JudgeSummary(
        model=job.model,
        recipe=job.recipe.label,
        folds=folds,
        seeds=[job.seed for job in judge.jobs],
        train_accuracy=float(np.mean([classify(logits) == labels for logits in said.train])),
        test_accuracy=float(hits.mean()),
        test_accuracy_without=float(hits[..., ~consensus].mean()),
    )
