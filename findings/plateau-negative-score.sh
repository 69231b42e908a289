#!/usr/bin/env bash
# With a negative score, a run without any progress is progress.
#
# Expected: a scheduler or early stopping with a patience of 2 or 3 acts on a score that never
# moves, whatever its sign.
# Happens: the threshold is a share of the best score, added in the direction of worse for a
# negative one, so equality counts as an improvement. torch's ReduceLROnPlateau never lowers
# the rate for a constant -1, in either mode, and does for a constant +1. skorch's
# EarlyStopping on scikit-learn's own 'neg_log_loss' runs all 40 epochs with a learning rate
# of 0. So does a score that gets worse by less than 0.01 % an epoch. threshold_mode='abs'
# mends both.
# Versions: torch 2.13.0, skorch 1.4.0, scikit-learn 1.9.1; Python 3.11.
# For a user: log likelihoods, ELBOs and all of scikit-learn's neg_ scores are negative. Use
# the absolute mode for them, or flip the sign.
#
# Seen:
#   rate after 20 steps: +1 constant 1e-06, -1 constant, min 1, max 1, slowly worse 1, abs 1e-06
#   skorch epochs without any progress: 40 and with abs: 4
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'skorch==1.4.0' 'scikit-learn==1.9.1' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping, EpochScoring


def rate(mode, scores, **more):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, patience=2, **more)
    for score in scores:
        plateau.step(score)
    return optimizer.param_groups[0]["lr"]


def epochs(**more):
    stop = EarlyStopping("score", patience=3, lower_is_better=False, sink=lambda *_: None, **more)
    score = EpochScoring("neg_log_loss", name="score", lower_is_better=False)
    net = NeuralNetClassifier(torch.nn.Linear, module__in_features=4, module__out_features=3,
                              criterion=torch.nn.CrossEntropyLoss, lr=0.0, max_epochs=40,
                              verbose=0, callbacks=[("score", score), ("stop", stop)])
    return len(net.fit(images, labels).history)


rng = np.random.default_rng(0)
images, labels = rng.normal(size=(100, 4)).astype("f4"), rng.integers(0, 3, 100)
worse = [-1 + 5e-5 * i for i in range(20)]
seen = [rate("min", [1.0] * 20), rate("min", [-1.0] * 20), rate("max", [-1.0] * 20),
        rate("min", worse), rate("max", [-1.0] * 20, threshold_mode="abs")]
print("rate after 20 steps: +1 constant %.0e, -1 constant, min %g, max %g, slowly worse %g, abs %.0e"
      % tuple(seen))
print("skorch epochs without any progress:", epochs(), "and with abs:", epochs(threshold_mode="abs"))
assert seen[1:4] == [1.0, 1.0, 1.0] and seen[0] < 0.01 and seen[4] < 0.01
assert epochs() == 40 and epochs(threshold_mode="abs") == 4
PY
