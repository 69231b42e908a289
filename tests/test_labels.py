"""Doubtful labels: cleanlab's own call, a plain definition of consensus, planted wrong labels."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import CPU

from fashionbench.data.split import Dataset, Split
from fashionbench.errors import MissingPackage
from fashionbench.experiments.audit.findings import Pooled
from fashionbench.experiments.audit.folds import Judgement, judge
from fashionbench.experiments.audit.labels import (
    Judge,
    check_cleanlab,
    describe_labels,
    find_suspects,
    form_opinions,
    noise_matrix,
)
from fashionbench.experiments.planning import plan


def drawn(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels of three classes, a tenth of them wrong, and (R, N, K) logits of five runs."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, images)
    labels = np.where(rng.random(images) < 0.1, rng.integers(0, 3, images), truth)
    return labels, (rng.normal(size=(5, images, 3)) + 4 * np.eye(3)[truth]).astype(np.float32)


def test_opinions_are_means_of_probabilities_over_judges_and_runs() -> None:
    _, logits = drawn(40)
    first = Judgement(logits[:2], logits[:4].reshape(2, 2, 40, 3))
    second = Judgement(logits[2:3], logits[4:].reshape(1, 1, 40, 3))
    of_train, of_test = form_opinions([first, second])
    probabilities = torch.from_numpy(logits).double().softmax(dim=2).numpy()
    expected = (probabilities[:2].mean(axis=0) + probabilities[2]) / 2
    assert np.allclose(of_train.probabilities, expected)
    expected = (probabilities[:4].mean(axis=0) + probabilities[4]) / 2
    assert np.allclose(of_test.probabilities, expected)
    assert (of_test.votes.sum(axis=1) == 5).all()
    assert (of_train.votes.argmax(axis=1)[(logits[:3].argmax(2) == 1).all(axis=0)] == 1).all()


def test_confident_learning_is_cleanlabs() -> None:
    from cleanlab.classification import CleanLearning

    labels, logits = drawn(600)
    opinion, _ = form_opinions([Judgement(logits, logits[None])])
    found = find_suspects(labels, opinion.probabilities)
    issues = CleanLearning().find_label_issues(labels=labels, pred_probs=opinion.probabilities)
    assert set(found.tolist()) == set(np.flatnonzero(issues["is_label_issue"]).tolist())
    confidence = opinion.probabilities[np.arange(600), labels]
    assert (np.diff(confidence[found]) >= 0).all()
    assert 20 < len(found) < 60
    noise = noise_matrix(labels, opinion.probabilities)
    assert np.allclose(noise.sum(axis=1), 1)
    assert 0.85 < noise.diagonal().min() < 0.99


def test_the_document_counts_and_names_what_is_in_doubt() -> None:
    labels, logits = drawn(300)
    pooled = Pooled(np.concatenate([labels, labels[:100]]), 300, ("a", "b", "c"), {})
    (job,) = next(plan("linear", "judge", 1, dataset="silhouettes").entries())
    judgement = Judgement(logits, np.stack([logits[:, :100], logits[:, :100]]))
    found = describe_labels([Judge([job] * 5, judgement)], pooled)
    of_train, of_test = found.counts
    wrong = (logits.argmax(axis=2) != labels).all(axis=0)
    assert (of_train.runs, of_test.runs) == (5, 10)
    assert of_train.consensus == wrong.sum()
    assert of_test.consensus == wrong[:100].sum()
    assert found.floor.share == wrong[:100].mean()
    assert found.floor.low < found.floor.share < found.floor.high
    named = {
        (suspect.image.split, suspect.image.position)
        for suspect in found.suspects
        if suspect.is_consensus
    }
    assert named == {("train", int(k)) for k in np.flatnonzero(wrong)} | {
        ("test", int(k)) for k in np.flatnonzero(wrong[:100])
    }
    suspect = found.suspects[0]
    assert suspect.image.split == "test"
    assert suspect.seems != suspect.image.label
    (summary,) = found.judges
    assert summary.train_accuracy == pytest.approx((logits.argmax(axis=2) == labels).mean())
    hits = logits[:, :100].argmax(axis=2) == labels[:100]
    assert summary.test_accuracy == pytest.approx(hits.mean())
    assert summary.test_accuracy_without == pytest.approx(hits[:, ~wrong[:100]].mean())


@pytest.mark.slow
def test_planted_wrong_labels_are_found(silhouettes: Dataset, tmp_path: Path) -> None:
    """2 % of 5,000 labels are wrong. Recall is 0.9 or more, precision of the first 100 0.7.

    Suspects also are images that are hard to tell: their drawings are ambiguous. So precision of
    all of them is 0.15 or more, of those that both doubt 0.3.
    """
    rng = np.random.default_rng(0)
    labels = silhouettes.train.labels[:5000].clone()
    planted = torch.from_numpy(rng.choice(5000, 100, replace=False))
    labels[planted] = (labels[planted] + torch.from_numpy(rng.integers(1, 10, 100))) % 10
    training = Split(silhouettes.train.images[:5000], labels)
    data = Dataset("silhouettes", "planted", silhouettes.classes, training, silhouettes.test)
    (jobs,) = plan("lenet", "judge", 1, dataset="silhouettes", epochs=8).entries()
    judges = [Judge(jobs, judge(jobs, data, 3, tmp_path, CPU))]
    pooled = Pooled(torch.cat([labels, data.test.labels]).numpy(), 5000, silhouettes.classes, {})
    suspects = [s for s in describe_labels(judges, pooled).suspects if s.image.split == "train"]
    ranked = [suspect.image.position for suspect in suspects]
    wrong = set(planted.tolist())
    both = {s.image.position for s in suspects if s.is_consensus and s.is_confident}
    assert len(wrong & set(ranked)) / len(wrong) >= 0.9
    assert len(wrong & set(ranked[:100])) / 100 >= 0.7
    assert len(wrong & both) / len(both) >= 0.3
    assert len(wrong & set(ranked)) / len(ranked) >= 0.15


def test_without_cleanlab_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(MissingPackage, match=r'needs cleanlab.*"\.\[audit\]"'):
        check_cleanlab()
