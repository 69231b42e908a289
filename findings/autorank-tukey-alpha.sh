#!/usr/bin/env bash
# "The family-wise significance level is 0.001", says autorank, and shows intervals of 95 %.
#
# Expected: autorank(scores, alpha=...) widens the intervals as alpha falls, and compares models on
# the same seeds in pairs throughout, as its first test, a repeated-measures ANOVA, does.
# Happens: for three or more normal models Tukey's test is called without alpha, so intervals and
# groups are those of 0.05 at any alpha. It also takes the runs for independent: where a seed moves
# all models together, the ANOVA says p = 8e-17 and the groups say that neighbours do not differ,
# though one beats the other on all 20 seeds (paired t-test p = 5e-8).
# Versions: autorank 1.3.0, scipy 1.17.1, statsmodels 0.15.0, pandas 3.1.1, numpy 2.4.6; Python 3.11.
# For a user: believe the omnibus test only, and compare pairs with a paired test, corrected for
# their number.
#
# Seen:
#   alpha 0.05   anova p 8e-17; interval of a 83.452 to 85.474
#   alpha 0.001  anova p 8e-17; interval of a 83.452 to 85.474
#   the report at 0.001: The family-wise significance level of the tests is alpha=0.001.
#   the report at 0.001: Based post-hoc Tukey HSD test, we assume that there are no significant differences within the following groups: a and b; b and c. All other differences are significant.
#   a against b, paired: p 5e-08, b better on 20 of 20
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'autorank==1.3.0' 'scipy==1.17.1' \
  'statsmodels==0.15.0' 'pandas==3.1.1' 'numpy==2.4.6'
OMP_NUM_THREADS=1 MPLBACKEND=agg venv/bin/python - <<'PY'
import contextlib
import io
import warnings

import numpy as np
import pandas as pd
from autorank import autorank, create_report
from scipy import stats

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
luck = rng.normal(0, 3, 20)
scores = pd.DataFrame({name: 85 + better + luck + rng.normal(0, 0.2, 20)
                       for name, better in (("a", 0), ("b", 0.5), ("c", 1))})
seen, text = {}, io.StringIO()
for alpha in (0.05, 0.001):
    with contextlib.redirect_stdout(io.StringIO()):
        result = autorank(scores, alpha=alpha)
    low, high = result.rankdf.loc["a", ["ci_lower", "ci_upper"]]
    seen[alpha] = low, high
    print(f"alpha {alpha:<6} {result.omnibus} p {result.pvalue:.0e}; interval of a {low:.3f} to {high:.3f}")
    assert result.omnibus == "anova" and result.posthoc == "tukeyhsd" and result.pvalue < 1e-10
with contextlib.redirect_stdout(text):
    create_report(result)
said = [line for line in text.getvalue().splitlines() if "family-wise" in line or "post-hoc Tukey HSD test, we assume" in line]
for line in said:
    print("the report at 0.001:", line)
pair = stats.ttest_rel(scores.a, scores.b).pvalue
print(f"a against b, paired: p {pair:.0e}, b better on {(scores.b > scores.a).sum()} of {len(scores)}")
assert seen[0.05] == seen[0.001]
assert "alpha=0.001" in said[0] and "a and b; b and c" in said[1] and pair < 1e-6
PY
