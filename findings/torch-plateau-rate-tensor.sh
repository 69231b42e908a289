#!/usr/bin/env bash
# Told to divide the learning rate by 10, the scheduler divides it by 100, or by 1000.
#
# Expected: ReduceLROnPlateau(optimizer, factor=0.1) does the same whether the learning rate is a number or
# a tensor, as torch.compile asks for so that it does not compile anew at every change.
# Happens: an optimizer with two groups of parameters, as for weights with and biases without weight
# decay, keeps one tensor for both. The scheduler goes through the groups, and each time multiplies
# in place what it finds: twice for two groups, three times for three. ExponentialLR and the others
# that were tried compute all rates first, and come out right.
# Versions: torch 2.13.0; Python 3.11.
# For a user: give each group a tensor of its own, {"params": ..., "lr": torch.tensor(0.1)}.
#
# Seen:
#   number, 2 groups: 1e-01, 1e-02, 1e-03, 1e-04
#   tensor, 1 group: 1e-01, 1e-02, 1e-03, 1e-04
#   tensor, 2 groups: 1e-01, 1e-03, 1e-05, 1e-07
#   tensor, 3 groups: 1e-01, 1e-04, 1e-07, 1e-08
#   a tensor each, 2 groups: 1e-01, 1e-02, 1e-03, 1e-04
#   ExponentialLR, tensor, 2 groups: 1e-02, 1e-03, 1e-04, 1e-05
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import warnings

import torch
from torch.optim.lr_scheduler import ExponentialLR, ReduceLROnPlateau

warnings.simplefilter("ignore")


def rates(groups, rate, plateau=True, own=False):
    """Learning rate of the first group over four epochs whose loss does not fall."""
    parameters = [{"params": [torch.nn.Parameter(torch.ones(1))]} for _ in range(groups)]
    for group in parameters if own else ():
        group["lr"] = rate.clone()
    optimizer = torch.optim.AdamW(parameters, lr=rate)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.1, patience=0) if plateau else ExponentialLR(optimizer, 0.1)
    seen = []
    for _ in range(4):
        optimizer.step()
        scheduler.step(1.0) if plateau else scheduler.step()
        seen.append(float(optimizer.param_groups[0]["lr"]))
    return seen


found = {}
for name, settings in {
    "number, 2 groups": (2, 0.1),
    "tensor, 1 group": (1, torch.tensor(0.1)),
    "tensor, 2 groups": (2, torch.tensor(0.1)),
    "tensor, 3 groups": (3, torch.tensor(0.1)),
    "a tensor each, 2 groups": (2, torch.tensor(0.1), True, True),
    "ExponentialLR, tensor, 2 groups": (2, torch.tensor(0.1), False),
}.items():
    found[name] = rates(*settings)
    print(f"{name}: " + ", ".join(f"{rate:.0e}" for rate in found[name]))


def drop(name, first, second):
    return round(found[name][first] / found[name][second])


for name in ("number, 2 groups", "tensor, 1 group", "a tensor each, 2 groups"):
    assert drop(name, 0, 1) == 10
assert drop("ExponentialLR, tensor, 2 groups", 0, 1) == 10
assert drop("tensor, 2 groups", 0, 1) == 100 and drop("tensor, 3 groups", 0, 1) == 1000
PY
