#!/usr/bin/env bash
# The AUC of a network falls from 0.84 to 0.68 as the bias of its last layer moves.
#
# Expected: the area under the ROC curve depends on the order of the scores alone. Neither a constant that is
# added to all logits nor a factor changes it, as in scikit-learn.
# Happens: keras.metrics.AUC puts the curve together from 200 thresholds between 0 and 1 in equal steps.
# Scores that lie closer together than 0.005, as nearly all do near 0 and near 1, are one point,
# and count as ties. That happens to a network that is sure, and to every one for a rare class; at last
# the AUC is 0.5. Of two networks the one that orders the pictures worse may have the higher AUC.
# Versions: keras 3.15.1, jax 0.10.2, scikit-learn 1.9.1, numpy 2.4.6; Python 3.11.
# For a user: from_logits=True does not help, since the sigmoid comes first. Give thresholds= at the
# quantiles of the scores, or take sklearn.metrics.roc_auc_score. A monitor="val_auc" ends training early.
#
# Seen:
#   bias 0: scikit-learn 0.836, keras 0.836
#   bias -4: scikit-learn 0.836, keras 0.816
#   bias -8: scikit-learn 0.836, keras 0.677
#   bias -12: scikit-learn 0.836, keras 0.535
#   a worse network without bias: scikit-learn 0.825, keras 0.824
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'keras==3.15.1' 'jax==0.10.2' 'scikit-learn==1.9.1' 'numpy==2.4.6'
KERAS_BACKEND=jax KERAS_HOME="$work" OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import keras
import numpy as np
from sklearn.metrics import roc_auc_score

random = np.random.default_rng(0)
labels = random.random(2000) < 0.5
logits = 3 * random.normal(size=2000) + np.where(labels, 2, -2)


def areas(logits):
    scores = 1 / (1 + np.exp(-logits))
    metric = keras.metrics.AUC()
    metric.update_state(labels, scores.astype("f4"))
    return roc_auc_score(labels, scores), float(metric.result())


found = {bias: areas(logits + bias) for bias in (0, -4, -8, -12)}
for bias, (exact, rough) in found.items():
    print(f"bias {bias}: scikit-learn {exact:.3f}, keras {rough:.3f}")
worse = areas(logits + random.normal(size=2000))
print(f"a worse network without bias: scikit-learn {worse[0]:.3f}, keras {worse[1]:.3f}")
assert len({exact for exact, _ in found.values()}) == 1
assert abs(found[0][1] - found[0][0]) < 0.001 and found[-8][1] < 0.7 and found[-12][1] < 0.55
assert worse[0] < found[-8][0] and worse[1] > found[-8][1]
PY
