#!/usr/bin/env bash
# One run of ten got one point more: the exact permutation test says p = 0.048, and 1 in percent.
#
# Expected: scipy.stats.permutation_test counts rearrangements that are as extreme as what was seen,
# with a tolerance for rounding, as its code has one. Five accuracies of 0.90 against four of 0.90 and
# one of 0.91: every rearrangement gives the same difference up to its sign, so p = 1.
# Happens: the tolerance is a share of the difference (1e-14 of it), and the rounding of two
# means near 0.9 is a share of the means, which is larger. Ties that are off by the last bit are
# not counted, so p only falls. In shares p is too small for a quarter of the pairs of five accuracies with
# two digits, and for nearly half of those with three; as whole numbers they come out right.
# Versions: scipy 1.17.1, numpy 2.4.6; Python 3.11.
# For a user: give counts of right answers, which are whole numbers, or take np.round(mean, 12) in
# the statistic. A difference that is small beside the accuracies is where it matters most.
#
# Seen:
#   one run of ten better by a point: p = 0.048 as shares, 1.000 in percent, 1.000 rounded
#   400 pairs of equal models, 2 digits, sd 0.01: p too small for 26%, too large for 0%, by up to 0.49
#   400 pairs of equal models, 3 digits, sd 0.002: p too small for 46%, too large for 0%, by up to 0.24
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'scipy==1.17.1' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
from scipy.stats import permutation_test


def test(a, b, digits=None):
    def difference(x, y, axis):
        found = x.mean(axis) - y.mean(axis)
        return found if digits is None else np.round(found, digits)

    return permutation_test((a, b), difference, n_resamples=np.inf, vectorized=True).pvalue


ours, theirs = np.array([0.90, 0.90, 0.90, 0.91, 0.90]), np.full(5, 0.90)
shares, percent = test(ours, theirs), test(np.rint(100 * ours), np.rint(100 * theirs))
rounded = test(ours, theirs, digits=12)
print(f"one run of ten better by a point: p = {shares:.3f} as shares, {percent:.3f} in percent, {rounded:.3f} rounded")
assert shares < 0.05 and percent == rounded == 1

random = np.random.default_rng(0)
for digits, spread in ((2, 0.01), (3, 0.002)):
    whole = np.rint(10**digits * (0.9 + spread * random.normal(size=(400, 2, 5))))
    exact = np.array([test(*pair) for pair in whole])
    found = np.array([test(*pair / 10**digits) for pair in whole])
    wrong = abs(found - exact) > 1e-9
    print(f"400 pairs of equal models, {digits} digits, sd {spread}: p too small for {wrong.mean():.0%}, "
          f"too large for {(found > exact + 1e-9).mean():.0%}, by up to {(exact - found).max():.2f}")
    assert wrong.mean() > 0.2 and not (found > exact + 1e-9).any()
PY
