#!/usr/bin/env bash
# The log loss of the same predictions falls when they are stored in fewer bits.
#
# Expected: sklearn.metrics.log_loss of one model differs by rounding only between float64,
# float32 and float16.
# Happens: probabilities are clipped at the machine epsilon of their own type, so one sure and
# wrong answer costs at most 36 in float64, 16 in float32 and 7 in float16. The same ten
# thousand over-sure predictions score 24.3, 13.1 and 6.1; the true figure, from the logits,
# is 30.7. A worse model saved as float16 beats a better one saved as float64.
# Versions: scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1; Python 3.11.
# For a user: log losses are comparable only between files of one type, and for over-sure
# models not even with the loss seen in training. Take the loss from the logits.
#
# Seen:
#   from the logits 30.66
#   float64 24.27
#   float32 13.13
#   float16 6.06
#   better model, float64 18.78
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'scikit-learn==1.9.1' 'numpy==2.4.6' 'scipy==1.17.1'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss

rng = np.random.default_rng(0)
labels = rng.integers(0, 10, 10_000)
logits = rng.normal(size=(10_000, 10)) * 20  # sure of itself and never right but by luck
better = logits.copy()
better[np.arange(10_000), labels] += 10  # 10 more for the right class

true = -log_softmax(logits, 1)[np.arange(10_000), labels].mean()
print(f"from the logits {true:.2f}")
loss = {}
for kind in ("float64", "float32", "float16"):
    loss[kind] = log_loss(labels, softmax(logits, 1).astype(kind))
    print(f"{kind} {loss[kind]:.2f}")
good = log_loss(labels, softmax(better, 1))
print(f"better model, float64 {good:.2f}")
assert true > 30 and 24 < loss["float64"] < 25 and 13 < loss["float32"] < 14
assert loss["float16"] < 6.5
assert loss["float16"] < good < loss["float64"]
PY
