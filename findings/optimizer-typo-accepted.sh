#!/usr/bin/env bash
# A misspelt setting of an optimizer is taken, and then listed as if it were used.
#
# Expected: Optimizer(params, wieght_decay=0.1) raises a TypeError, as it does in torch.
# Happens: most optimizers of this package swallow any keyword. Lion, ADOPT and Ranger even
# put it into param_groups and so into state_dict, where a log of the settings shows the
# misspelt decay beside the real one, which is 0. Adam, AdamW and SGD, taken over from torch,
# raise.
# Versions: pytorch_optimizer 4.1.0, torch 2.13.0; Python 3.11.
# For a user: a search over a setting that the optimizer does not know gives equal results all
# along it, and a settings file written for another optimizer is accepted. Check the names
# against inspect.signature first.
#
# Seen:
#   took wieght_decay: 109, of these listed it as a setting: 47
#   refused it: adam adamw lbfgs magma nadam rmsprop sgd
#   lion: {'weight_decay': 0.0, 'fixed_decay': False, 'wieght_decay': 0.1}
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6' 'pytorch_optimizer==4.1.0'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import torch
from pytorch_optimizer import get_supported_optimizers, load_optimizer

weights = torch.nn.Parameter(torch.ones(3, 3))
took, listed, refused = [], [], []
for name in sorted(get_supported_optimizers()):
    make = load_optimizer(name)
    try:
        make([weights], lr=1e-3)
    except Exception:
        continue  # needs more than a list of weights, or a process group
    try:
        group = make([weights], lr=1e-3, wieght_decay=0.1).param_groups[0]
    except TypeError:
        refused.append(name)
        continue
    took.append(name)
    if "wieght_decay" in group:
        listed.append(name)
group = load_optimizer("lion")([weights], lr=1e-3, wieght_decay=0.1).param_groups[0]
print(f"took wieght_decay: {len(took)}, of these listed it as a setting: {len(listed)}")
print("refused it:", *refused)
print("lion:", {k: v for k, v in group.items() if "decay" in k})
assert len(took) > 80 and len(listed) > 20 and "adamw" in refused
assert group["wieght_decay"] == 0.1 and group["weight_decay"] == 0.0
PY
