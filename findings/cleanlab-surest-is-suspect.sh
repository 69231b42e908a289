#!/usr/bin/env bash
# The surer a classifier is of a right label, the better its quality, until it turns into the worst.
#
# Expected: cleanlab's label quality "confidence_weighted_entropy", from 0 (probably wrong) to 1,
# rises for a right label as the classifier grows sure of it, and falls for a wrong one.
# Happens: the score divides by the entropy, which it clips at 1e-6. Beyond a probability of about
# 0.9999999 right labels fall to 0 and wrong ones rise to 1; at a probability of exactly 1 both are
# 0. Of 10,000 labels that a sure classifier predicts, 100 of them wrong, the 100 of lowest quality
# hold none of the wrong ones by this score, and all by the other two.
# Versions: cleanlab 2.9.0, scikit-learn 1.9.1, numpy 2.4.6, pandas 3.1.1; Python 3.11.
# For a user: softmax in float32 gives exactly 1 for most images of a network that was trained to
# the end. Rank by self_confidence, or keep probabilities away from 0 and 1.
#
# Seen:
#   probability 0.9 right 0.842 wrong 0.293
#   probability 0.999999 right 1.000 wrong 0.192
#   probability 0.999999999999 right 0.000 wrong 1.000
#   probability 1.0 right 0.000 wrong 0.000
#   wrong labels among the 100 worst: self_confidence 100, normalized_margin 100, confidence_weighted_entropy 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  'cleanlab==2.9.0' 'scikit-learn==1.9.1' 'numpy==2.4.6' 'scipy==1.17.1' 'pandas==3.1.1'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
from cleanlab.rank import get_label_quality_scores

METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def quality(sure, method="confidence_weighted_entropy"):
    """Of one image: the quality of the label that is predicted, and of another."""
    rows = np.tile([sure, (1 - sure) / 2, (1 - sure) / 2], (2, 1))
    return get_label_quality_scores(np.array([0, 1]), rows, method=method)


seen = {}
for sure in (0.9, 0.999999, 0.999999999999, 1.0):
    seen[sure] = quality(sure)
    print(f"probability {sure} right {seen[sure][0]:.3f} wrong {seen[sure][1]:.3f}")

rng = np.random.default_rng(0)
truth = rng.integers(0, 3, 10_000)
labels = truth.copy()
wrong = rng.choice(10_000, 100, replace=False)
labels[wrong] = (truth[wrong] + 1) % 3
logits = rng.normal(size=(10_000, 3)) + 30 * np.eye(3)[truth]
probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
probabilities /= probabilities.sum(axis=1, keepdims=True)
found = {}
for method in METHODS:
    worst = np.argsort(get_label_quality_scores(labels, probabilities, method=method))[:100]
    found[method] = len(np.intersect1d(worst, wrong))
print("wrong labels among the 100 worst:", ", ".join(f"{m} {n}" for m, n in found.items()))
assert quality(0.999999)[0] > 0.99 > 0.5 > quality(0.999999)[1]
assert seen[0.999999999999][0] < 0.01 < 0.99 < seen[0.999999999999][1]
assert seen[1.0].tolist() == [0, 0]
assert found["self_confidence"] == found["normalized_margin"] == 100
assert found["confidence_weighted_entropy"] < 10
PY
