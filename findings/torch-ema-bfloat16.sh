#!/usr/bin/env bash
# The moving average of a bfloat16 network's weights never leaves the weights it began with.
#
# Expected: AveragedModel with get_ema_multi_avg_fn(0.999) follows the weights: 5,000 steps after they
# went from 1 to 2 the average is at 1.993.
# Happens: the average is kept in the type of the weights, and each step adds a thousandth of the
# distance, which is less than half of the last digit of bfloat16: it stays 1.0, for ever. At decays of
# 0.99 and 0.9 it stops at 1.609 and 1.969, short of the goal. float16 with a decay of 0.9999 does not
# move either. The average of a whole training in bfloat16 is nearly its first weights.
# With use_buffers=True the counts of batches of BatchNorm, whole numbers, are cut down at each step.
# Versions: torch 2.13.0; Python 3.11.
# For a user: keep weights in float32 and compute under autocast, or average a float32 copy.
#
# Seen:
#   float32  decay 0.999 : from 1 towards 2, after 5000 steps at 1.993
#   bfloat16 decay 0.999 : from 1 towards 2, after 5000 steps at 1.000
#   bfloat16 decay 0.99  : from 1 towards 2, after 5000 steps at 1.609
#   bfloat16 decay 0.9   : from 1 towards 2, after 5000 steps at 1.969
#   float16  decay 0.9999: from 1 towards 2, after 5000 steps at 1.000
#   float32  decay 0.9999: from 1 towards 2, after 5000 steps at 1.393
#   batches that BatchNorm counted: 1000; in the average: 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

STEPS = 5000


def average(kind, decay):
    """Return where the average of a weight is that went from 1 to 2, STEPS ago."""
    layer = nn.Linear(1, 1, bias=False).to(kind)
    layer.weight.data.fill_(1)
    averaged = AveragedModel(layer, multi_avg_fn=get_ema_multi_avg_fn(decay))
    averaged.update_parameters(layer)  # the first update copies
    layer.weight.data.fill_(2)
    for _ in range(STEPS):
        averaged.update_parameters(layer)
    return averaged.module.weight.item()


seen = {}
for kind, decay in ((torch.float32, 0.999), (torch.bfloat16, 0.999), (torch.bfloat16, 0.99), (torch.bfloat16, 0.9),
                    (torch.float16, 0.9999), (torch.float32, 0.9999)):
    seen[kind, decay] = average(kind, decay)
    print(f"{str(kind).removeprefix('torch.'):8} decay {decay:<6}: from 1 towards 2, after {STEPS} steps at {seen[kind, decay]:.3f}")

norm = nn.BatchNorm1d(2)
averaged = AveragedModel(norm, multi_avg_fn=get_ema_multi_avg_fn(0.999), use_buffers=True)
for _ in range(1000):
    norm(torch.randn(8, 2))
    averaged.update_parameters(norm)
counts = norm.num_batches_tracked.item(), averaged.module.num_batches_tracked.item()
print("batches that BatchNorm counted: {}; in the average: {}".format(*counts))
assert abs(seen[torch.float32, 0.999] - 1.993) < 0.001
assert seen[torch.bfloat16, 0.999] == seen[torch.float16, 0.9999] == 1
assert 1 < seen[torch.bfloat16, 0.99] < 1.8
assert counts == (1000, 1)
PY
