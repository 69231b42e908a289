#!/usr/bin/env bash
# The Ranger optimizer goes uphill for its first five steps.
#
# Expected: pytorch_optimizer.Ranger with its defaults begins with small or plain gradient
# steps (its inner method is RAdam, which has no variance estimate yet), all of them downhill.
# Happens: for the first five steps the sign is wrong. On a bowl the loss rises from 15 to 27
# in those steps, turns only where the sixth pulls back to the slow weights, and is above its
# start after twelve. RAdam of the same package stands still for five steps instead. With
# degenerated_to_sgd=True Ranger descends in them.
# Versions: pytorch_optimizer 4.1.0, torch 2.13.0; Python 3.11.
# For a user: a comparison in which Ranger loses, in particular one of few steps, may be about
# this sign. Pass degenerated_to_sgd=True, or look at the loss of the first five steps.
#
# Seen:
#   Ranger       15.0 16.78 18.84 21.21 23.93 27.03 20.35 20.33 20.31 20.28 20.25 20.21
#   RAdam        15.0 15.0 15.0 15.0 15.0 15.0 14.98 14.96 14.93 14.9 14.87 14.83
#   to_sgd=True  15.0 13.38 12.01 10.85 9.88 9.07 11.6 11.59 11.58 11.56 11.54 11.52
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6' 'pytorch_optimizer==4.1.0'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import torch
from pytorch_optimizer import RAdam, Ranger


def losses(make, steps=12):
    weights = torch.nn.Parameter(torch.tensor([[3.0, -1.0], [2.0, 1.0]]))
    optimizer = make([weights])
    seen = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = weights.square().sum()
        loss.backward()
        seen.append(round(loss.item(), 2))
        optimizer.step()
    return seen


ranger = losses(lambda p: Ranger(p, lr=0.05))
radam = losses(lambda p: RAdam(p, lr=0.05))
right = losses(lambda p: Ranger(p, lr=0.05, degenerated_to_sgd=True))
print("Ranger      ", *ranger)
print("RAdam       ", *radam)
print("to_sgd=True ", *right)
assert all(a < b for a, b in zip(ranger[:5], ranger[1:6])) and ranger[-1] > ranger[0]
assert len(set(radam[:6])) == 1 and right[5] < right[0]
PY
