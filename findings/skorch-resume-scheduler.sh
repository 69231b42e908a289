#!/usr/bin/env bash
# Going on with training applies a step of the schedule twice.
#
# Expected: three epochs, then three more with partial_fit (or from saved parameters, optimizer
# and history), go through the learning rates of six epochs at one stretch.
# Happens: skorch makes a new scheduler that steps once when it is made, on a rate that has
# been stepped already. StepLR halves it twice at the seam; MultiStepLR with its one milestone
# there goes to 0.01 instead of 0.1 and stays. ExponentialLR and LambdaLR are right.
# Versions: skorch 1.4.0, torch 2.13.0, scikit-learn 1.9.1; Python 3.11.
# For a user: a resumed run trains on at a rate several times too small, with no word of it.
# Record the rate of every epoch and compare at the seam.
#
# Seen:
#   StepLR         whole [0.125, 0.0625, 0.0312] partial_fit [0.0625, 0.0312, 0.0156] loaded [0.0625, 0.0312, 0.0156]
#   MultiStepLR    whole [0.1, 0.1, 0.1] partial_fit [0.01, 0.01, 0.01] loaded [0.01, 0.01, 0.01]
#   ExponentialLR  whole [0.125, 0.0625, 0.0312] partial_fit [0.125, 0.0625, 0.0312] loaded [0.125, 0.0625, 0.0312]
#   LambdaLR       whole [0.125, 0.0625, 0.0312] partial_fit [0.125, 0.0625, 0.0312] loaded [0.125, 0.0625, 0.0312]
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
from skorch.callbacks import LRScheduler

rng = np.random.default_rng(0)
images, labels = rng.normal(size=(100, 4)).astype("f4"), rng.integers(0, 3, 100)


def net(epochs, policy, settings):
    return NeuralNetClassifier(torch.nn.Linear, module__in_features=4, module__out_features=3,
                               criterion=torch.nn.CrossEntropyLoss, lr=1.0, max_epochs=epochs,
                               verbose=0, train_split=None,
                               callbacks=[("rate", LRScheduler(policy, **settings))])


right = {}
for policy, settings in [("StepLR", dict(step_size=1, gamma=0.5)),
                         ("MultiStepLR", dict(milestones=[3], gamma=0.1)),
                         ("ExponentialLR", dict(gamma=0.5)),
                         ("LambdaLR", dict(lr_lambda=lambda epoch: 0.5**epoch))]:
    whole = net(6, policy, settings).fit(images, labels)
    first = net(3, policy, settings).fit(images, labels)
    first.save_params(f_params="p.pt", f_optimizer="o.pt", f_history="h.json")
    saved = net(3, policy, settings).initialize()
    saved.load_params(f_params="p.pt", f_optimizer="o.pt", f_history="h.json")
    rates = [np.round(n.history[:, "event_lr"], 4).tolist()
             for n in (whole, first.partial_fit(images, labels), saved.partial_fit(images, labels))]
    print(f"{policy:14}", "whole", rates[0][3:], "partial_fit", rates[1][3:], "loaded", rates[2][3:])
    assert rates[1] == rates[2]
    right[policy] = rates[0] == rates[1]
    if policy == "StepLR":
        assert rates[0][3] == 2 * rates[1][3]
assert right == {"StepLR": False, "MultiStepLR": False, "ExponentialLR": True, "LambdaLR": True}
PY
