#!/usr/bin/env bash
# A transformer counts as 0 operations once it is evaluated, and an LSTM always.
#
# Expected: torch.utils.flop_counter.FlopCounterMode counts what a forward pass multiplies; model.eval()
# and torch.no_grad() change dropout and gradients, not that.
# Happens: what it counts are the operators that PyTorch comes down to, and those it does not know are 0.
# Without gradients nn.TransformerEncoderLayer and nn.MultiheadAttention are one fused operator each,
# so a whole encoder is 0. With gradients scaled_dot_product_attention is one, so the encoder
# loses its attention in eval mode, and keeps it in training mode, where dropout forbids the
# operator. An LSTM on the CPU is 0; a GRU and a plain RNN of the same size are counted.
# Versions: torch 2.13.0; Python 3.11, on the CPU.
# For a user: compare models in training mode, or with gradients under sdpa_kernel(SDPBackend.MATH),
# and give custom_mapping a formula for aten.mkldnn_rnn_layer. Distrust a count without its operators.
#
# Seen:
#   encoder: by hand 7,651,840, training 7,651,840, eval with gradients 6,422,528, eval without 0, eval with gradients, MATH 7,651,840
#   attention: training 2,220,288, eval without gradients 0
#   recurrent: RNN 802,816, GRU 2,408,448, LSTM 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import warnings

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

warnings.simplefilter("ignore")


def count(model, *inputs, gradients=True):
    with torch.set_grad_enabled(gradients), FlopCounterMode(display=False) as counter:
        model(*inputs)
    return counter.get_total_flops()


patches = torch.rand(1, 49, 64)
encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), 2)
by_hand = 2 * (49 * 2 * (4 * 64 * 64 + 2 * 64 * 128) + 2 * 2 * 49 * 49 * 64)
seen = {"by hand": by_hand, "training": count(encoder.train(), patches)}
seen["eval with gradients"] = count(encoder.eval(), patches)
seen["eval without"] = count(encoder.eval(), patches, gradients=False)
with sdpa_kernel(SDPBackend.MATH):
    seen["eval with gradients, MATH"] = count(encoder.eval(), patches)
print("encoder:", ", ".join(f"{name} {value:,}" for name, value in seen.items()))
attention = nn.MultiheadAttention(64, 4, batch_first=True)
alone = {mode: count(attention.train(mode == "training"), patches, patches, patches, gradients=mode == "training")
         for mode in ("training", "eval without gradients")}
print("attention:", ", ".join(f"{name} {value:,}" for name, value in alone.items()))
layers = {kind.__name__: count(kind(64, 64), patches) for kind in (nn.RNN, nn.GRU, nn.LSTM)}
print("recurrent:", ", ".join(f"{name} {value:,}" for name, value in layers.items()))
assert seen["by hand"] == seen["training"] == seen["eval with gradients, MATH"] > seen["eval with gradients"]
assert seen["eval without"] == alone["eval without gradients"] == layers["LSTM"] == 0
assert alone["training"] > 0 and 0 < layers["RNN"] < layers["GRU"]
PY
