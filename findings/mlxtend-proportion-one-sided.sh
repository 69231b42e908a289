#!/usr/bin/env bash
# The better of two models is not different from the other, p = 1.00; ask the other way round: p = 0.00.
#
# Expected: mlxtend's proportion_difference, "the z-score and the p-value" of a "difference of
# proportions test", gives the same p-value for (a, b) and (b, a), large where a = b.
# Happens: it gives the area to the left of z. Whoever passes the better model first is told p = 1 at
# 95 % against 85 % of 1,000 images; passed the other way, p is half of what a two-sided test gives, and
# 87.0 % against 89.0 % comes out as 0.08. Two equal accuracies have p = 0.5.
# statsmodels' proportions_ztest of the same numbers is two-sided; its z is the same to 2 %.
# Versions: mlxtend 0.25.0, statsmodels 0.15.0, scipy 1.17.1, numpy 2.4.6, pandas 3.1.1,
# scikit-learn 1.9.1; Python 3.11.
# For a user: take 2 * scipy.stats.norm.sf(abs(z)). For models on the same images no such test is right:
# they are paired.
#
# Seen:
#   95.0% against 85.0%: z +7.559, p mlxtend 1.0000, statsmodels 0.0000
#   85.0% against 95.0%: z -7.559, p mlxtend 0.0000, statsmodels 0.0000
#   90.0% against 90.0%: z +0.000, p mlxtend 0.5000, statsmodels 1.0000
#   87.0% against 89.0%: z -1.377, p mlxtend 0.0843, statsmodels 0.1688
#   89.0% against 87.0%: z +1.377, p mlxtend 0.9157, statsmodels 0.1688
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'mlxtend==0.25.0' 'statsmodels==0.15.0' 'scipy==1.17.1' \
  'numpy==2.4.6' 'pandas==3.1.1' 'scikit-learn==1.9.1'
OMP_NUM_THREADS=1 MPLBACKEND=agg venv/bin/python - <<'PY'
from mlxtend.evaluate import proportion_difference
from statsmodels.stats.proportion import proportions_ztest

N = 1000
seen = {}
for a, b in ((0.95, 0.85), (0.85, 0.95), (0.90, 0.90), (0.87, 0.89), (0.89, 0.87)):
    z, p = proportion_difference(a, b, N)
    z_too, both = proportions_ztest([round(a * N), round(b * N)], [N, N])
    print(f"{a:.1%} against {b:.1%}: z {z:+.3f}, p mlxtend {p:.4f}, statsmodels {both:.4f}")
    assert abs(z - z_too) < 0.02 * abs(z) + 1e-9
    seen[a, b] = p, both
assert seen[0.95, 0.85][0] > 0.999 and seen[0.85, 0.95][0] < 0.001
assert seen[0.95, 0.85][1] == seen[0.85, 0.95][1] < 0.001
assert seen[0.90, 0.90][0] == 0.5
PY
