#!/usr/bin/env bash
# The cost of a transformer does not grow with the number of its patches.
#
# Expected: a linear layer that is applied to 196 patches does 196 times the multiply-adds of
# one that is applied to a single vector, and the counters of the field say so.
# Happens: torchinfo counts the weights of a linear layer once a picture, however many patches
# it is applied to (for convolutions it does multiply by the positions). Of layers applied to
# 14 x 14 patches it reports less than a hundredth of what fvcore and PyTorch's counter find,
# and less than for 7 x 7 patches, which are a quarter of the work. Beside a convolutional
# network a transformer or a mixer looks almost free.
# Versions: torchinfo 1.8.0, fvcore 0.1.5.post20221221; torch 2.13.0; Python 3.11.
# For a user: count with torch.utils.flop_counter (and halve it) or fvcore; compare models only
# by one counter that you have checked on a linear layer with a second dimension.
#
# Seen:
#   196 patches: by hand 1,656,448, torch 1,656,448, fvcore 1,656,448, torchinfo 9,290
#   49 patches: by hand 452,224, torch 452,224, fvcore 452,224, torchinfo 10,058
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6' \
  'torchinfo==1.8.0' 'fvcore==0.1.5.post20221221'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import logging
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchinfo import summary


class Mixer(nn.Module):
    """Patches of a 28 x 28 picture, three linear layers on each, their mean, ten classes."""

    def __init__(self, patch):
        super().__init__()
        self.unfold = nn.Unfold(patch, stride=patch)
        self.patches = nn.Sequential(nn.Linear(patch * patch, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64))
        self.head = nn.Linear(64, 10)

    def forward(self, pictures):
        return self.head(self.patches(self.unfold(pictures).mT).mean(1))


picture = torch.rand(1, 1, 28, 28)
found = {}
for patch in (2, 4):
    model, count = Mixer(patch).eval(), (28 // patch) ** 2
    by_hand = count * (patch * patch * 64 + 2 * 64 * 64) + 640
    with FlopCounterMode(display=False) as counter:
        model(picture)
    found[patch] = {
        "by hand": by_hand,
        "torch": counter.get_total_flops() // 2,
        "fvcore": int(FlopCountAnalysis(model, picture).by_operator()["linear"]),
        "torchinfo": summary(model, input_data=picture, verbose=0).total_mult_adds,
    }
    print(f"{count} patches:", ", ".join(f"{name} {value:,}" for name, value in found[patch].items()))
for counts in found.values():
    assert counts["torch"] == counts["fvcore"] == counts["by hand"]
    assert counts["torchinfo"] < counts["by hand"] / 40
PY
