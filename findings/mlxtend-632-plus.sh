#!/usr/bin/env bash
# The .632+ bootstrap estimates an accuracy of -667 %, and one of 130 %.
#
# Expected: mlxtend's bootstrap_point632_score gives accuracies between 0 and 1 by all its methods,
# and .632+ is the careful one. Efron and Tibshirani (1997) hold the relative overfitting rate R
# between 0 and 1 for that reason.
# Happens: mlxtend does not hold it, and computes it for every resample by itself, where luck takes
# it far out. The weight 0.632 / (1 - 0.368 R) then exceeds 1 and has a pole at R = 2.7. A nearest
# neighbour on 30 points of noise gives "accuracies" from -6.67 to 1.30; the 95 % interval that the
# documentation takes from their percentiles begins at -0.33. With .632 and oob all lie within 0..1.
# Versions: mlxtend 0.25.0, scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1, pandas 3.1.1; Python 3.11.
# For a user: small samples and models that learn the training data by heart, which is what .632+ is
# for. Look at the minimum, or compute R once, from the means, and clip it.
#
# Seen:
#   .632   mean 0.658, lowest 0.286, highest 1.000, 95 % interval 0.442 to 0.878
#   .632+  mean 0.479, lowest -6.672, highest 1.304, 95 % interval -0.331 to 0.882
#   oob    mean 0.555, lowest 0.083, highest 1.000, 95 % interval 0.250 to 0.846
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  'mlxtend==0.25.0' 'scikit-learn==1.9.1' 'numpy==2.4.6' 'scipy==1.17.1' 'pandas==3.1.1'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
from mlxtend.evaluate import bootstrap_point632_score
from sklearn.neighbors import KNeighborsClassifier

rng = np.random.default_rng(0)
points, labels = rng.normal(size=(30, 5)), np.tile([0, 1], 15)
seen = {}
for method in (".632", ".632+", "oob"):
    scores = bootstrap_point632_score(
        KNeighborsClassifier(1), points, labels, n_splits=200, method=method, random_seed=1
    )
    low, high = np.percentile(scores, [2.5, 97.5])
    print(f"{method:6} mean {scores.mean():.3f}, lowest {scores.min():.3f}, highest {scores.max():.3f}, "
          f"95 % interval {low:.3f} to {high:.3f}")
    seen[method] = scores
for method in (".632", "oob"):
    assert 0 <= seen[method].min() and seen[method].max() <= 1
assert seen[".632+"].min() < -1 and seen[".632+"].max() > 1
PY
