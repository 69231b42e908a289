#!/usr/bin/env bash
# The AUC of a network falls from 0.84 to 0.77 if its test images are scored one at a time.
#
# Expected: a metric of torchmetrics that is updated batch by batch is that of all images together, for every
# size of the batches. Logits are welcome: they are turned into probabilities.
# Happens: whether numbers are logits is judged anew for every batch: they are if one of them lies outside
# 0..1. A batch whose logits all happen to lie within is taken as probabilities as it is, and mixed
# with the sigmoids of the others. Single images, and the small last batch, are at risk; the more so,
# the less sure the network is. The calibration error of a weak network of ten classes goes from
# 0.01 to 0.26. The other way: logits that are all above 17 have the sigmoid 1 in float32, and AUC 0.5.
# Versions: torchmetrics 1.9.0, torch 2.13.0, numpy 2.4.6; Python 3.11.
# For a user: apply sigmoid or softmax yourself, in float64 where a network is very sure.
#
# Seen:
#   batches of 2000: AUC of logits 0.842, of probabilities 0.842; calibration error of logits 0.010, of probabilities 0.010
#   batches of 4: AUC of logits 0.837, of probabilities 0.842; calibration error of logits 0.022, of probabilities 0.010
#   batches of 1: AUC of logits 0.770, of probabilities 0.842; calibration error of logits 0.259, of probabilities 0.010
#   30 more on every logit: AUC 0.500
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'numpy==2.4.6' 'torchmetrics==1.9.0'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import warnings

import torch
from torchmetrics.classification import BinaryAUROC, MulticlassCalibrationError

warnings.simplefilter("ignore")
random = torch.Generator().manual_seed(0)
logits = torch.randn(2000, generator=random)
labels = (logits + torch.randn(2000, generator=random) > 0).long()
weak = 0.5 + 0.3 * torch.randn(2000, 10, generator=random)
classes = torch.multinomial(weak.softmax(1), 1, generator=random)[:, 0]


def score(metric, predictions, labels, size):
    for start in range(0, 2000, size):
        metric.update(predictions[start:start + size], labels[start:start + size])
    return float(metric.compute())


found = {size: (score(BinaryAUROC(), logits, labels, size), score(BinaryAUROC(), logits.sigmoid(), labels, size),
                score(MulticlassCalibrationError(10), weak, classes, size),
                score(MulticlassCalibrationError(10), weak.softmax(1), classes, size)) for size in (2000, 4, 1)}
for size, (area, safe, error, safe_error) in found.items():
    print(f"batches of {size}: AUC of logits {area:.3f}, of probabilities {safe:.3f}; "
          f"calibration error of logits {error:.3f}, of probabilities {safe_error:.3f}")
sure = score(BinaryAUROC(), logits + 30, labels, 2000)
print(f"30 more on every logit: AUC {sure:.3f}")
assert found[2000][0] - found[1][0] > 0.04 and abs(found[2000][1] - found[1][1]) < 1e-4
assert found[1][2] > 2 * found[2000][2] and abs(found[2000][3] - found[1][3]) < 1e-4 and sure == 0.5
PY
