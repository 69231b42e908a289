#!/usr/bin/env bash
# A paired t-test reports the power of an unpaired one.
#
# Expected: pingouin.ttest(x, y, paired=True) reports the power of the paired test, so a
# p-value far below 0.001 comes with a power near 1.
# Happens: the column 'power' is computed from the unpaired effect size (mean difference over
# the spread of the scores), put into the formula of the paired test. Where the pairs are
# strongly correlated, as two models on the same seeds or folds are, the table says p = 6e-05,
# a Bayes factor of 450 and a power of 0.08. From the effect size of the differences
# (pingouin.power_ttest on it) the power is 1.000.
# Versions: pingouin 0.7.0, numpy 2.4.6, pandas 3.1.1; Python 3.11.
# For a user: do not plan the number of seeds of a paired comparison from that column, nor
# from its cohen_d; take mean and standard deviation of the differences.
#
# Seen:
#   p 5.8e-05, Bayes factor 453
#   power in the table 0.080, from its cohen_d of 0.18: 0.080
#   power from the differences 1.000
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'pingouin==0.7.0' 'numpy==2.4.6' 'pandas==3.1.1'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import warnings

warnings.simplefilter("ignore")
import numpy as np
import pingouin

rng = np.random.default_rng(0)
model_a = rng.normal(90, 3, 10)  # ten data splits, some easy and some hard
model_b = model_a + 0.5 + rng.normal(0, 0.2, 10)  # better by half a point on each

row = pingouin.ttest(model_b, model_a, paired=True).iloc[0]
diff = model_b - model_a
right = pingouin.power_ttest(d=diff.mean() / diff.std(ddof=1), n=10, contrast="paired")
wrong = pingouin.power_ttest(d=row["cohen_d"], n=10, contrast="paired")
print(f"p {row['p_val']:.1e}, Bayes factor {float(row['BF10']):.0f}")
print(f"power in the table {row['power']:.3f}, from its cohen_d of {row['cohen_d']:.2f}: {wrong:.3f}")
print(f"power from the differences {right:.3f}")
assert row["p_val"] < 1e-4
assert row["power"] < 0.1 and abs(row["power"] - wrong) < 1e-3
assert right > 0.999
PY
