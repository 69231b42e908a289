#!/usr/bin/env bash
# A model compared with itself is the better one with probability 0.7.
#
# Expected: the Bayesian signed-rank test of baycomp on two equal lists of scores says 0.5 and 0.5.
# Happens: without a region of equivalence (rope=0, the default) every draw of the posterior is 0.5
# for both, and the larger of the two wins the draw. Which one that is, is left to the last digit of
# a sum of weights that should be 1, and to argmax, which gives the exact ties to the first: about
# 0.7 for 'left' at any seed and any scores. The sign test says NaN there, the t-test 0.5.
# One tenth of a thousandth more on one of ten data sets, all others equal, makes it 1.0 for the other.
# Versions: baycomp 1.0.3, numpy 2.4.6, scipy 1.17.1; Python 3.11.
# For a user: accuracies of few images tie often, and so do models that share their weights. Give a
# rope; then equal scores are practically equivalent with probability 1.
#
# Seen:
#   signed-rank, equal scores of 5 data sets: left 0.71, right 0.29
#   signed-rank, equal scores of 10 data sets: left 0.68, right 0.32
#   t-test, equal scores of 10 data sets: left 0.50, right 0.50
#   signed-rank, right better by 0.0001 on one of 10: left 0.00, right 1.00
#   signed-rank with rope 0.001, equal scores: left 0.00, rope 1.00, right 0.00
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'baycomp==1.0.3' 'numpy==2.4.6' 'scipy==1.17.1'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
from baycomp import CorrelatedTTest, SignedRankTest

SETTINGS = {"nsamples": 5000, "random_state": 0}
ten = np.array([0.81, 0.79, 0.83, 0.90, 0.85, 0.80, 0.70, 0.75, 0.60, 0.50])


def shown(name, *values):
    print(name, ", ".join(f"{side} {value:.2f}" for side, value in values))


for scores in (ten[:5], ten):
    left, right = SignedRankTest.probs(scores, scores.copy(), **SETTINGS)
    shown(f"signed-rank, equal scores of {len(scores)} data sets:", ("left", left), ("right", right))
    assert left > 0.6
    assert all(SignedRankTest.probs(scores, scores.copy(), nsamples=5000, random_state=seed)[0] > 0.6 for seed in range(1, 4))
left, right = CorrelatedTTest.probs(ten, ten.copy(), rope=0)
shown("t-test, equal scores of 10 data sets:", ("left", left), ("right", right))
assert left == right == 0.5
better = ten.copy()
better[0] += 0.0001
left, right = SignedRankTest.probs(ten, better, **SETTINGS)
shown("signed-rank, right better by 0.0001 on one of 10:", ("left", left), ("right", right))
assert right == 1
left, rope, right = SignedRankTest.probs(ten, ten.copy(), rope=0.001, **SETTINGS)
shown("signed-rank with rope 0.001, equal scores:", ("left", left), ("rope", rope), ("right", right))
assert rope == 1
PY
