#!/usr/bin/env bash
# One missing p-value erases the others, but not their verdicts.
#
# Expected: multipletests either raises on a NaN among the p-values, or leaves it out, or at
# least treats it alike in every method.
# Happens: nothing is said. Bonferroni, Sidak and Holm count the NaN as one more test and
# correct the rest. Seven others return NaN for every p-value, and still fill in the array of
# verdicts: Benjamini-Hochberg rejects two hypotheses whose corrected p-values are NaN
# (without the NaN it would reject all three).
# fdr_gbs and hommel reject none, not even p = 0.001. fdr_tsbh rejects p = 0.04 as well.
# scipy's false_discovery_control raises; pingouin's multicomp leaves the NaN out.
# Versions: statsmodels 0.15.0, scipy 1.17.1, pingouin 0.7.0, numpy 2.4.6; Python 3.11.
# For a user: a comparison that gave no p-value (a constant difference, a crashed run) changes
# the outcome of all others by the name of the method alone. Drop NaN first, and say how many.
#
# Seen:
#   bonferroni      NaN 1 of 4, rejected R---
#   sidak           NaN 1 of 4, rejected R---
#   holm            NaN 1 of 4, rejected R---
#   holm-sidak      NaN 1 of 4, rejected R---
#   simes-hochberg  NaN 4 of 4, rejected R---
#   hommel          NaN 4 of 4, rejected ----
#   fdr_bh          NaN 4 of 4, rejected RR--
#   fdr_by          NaN 4 of 4, rejected R---
#   fdr_tsbh        NaN 4 of 4, rejected RR-R
#   fdr_tsbky       NaN 4 of 4, rejected RR-R
#   fdr_gbs         NaN 4 of 4, rejected ----
#   pingouin, holm [0.003 0.04    nan 0.04 ]
#   scipy: `ps` must include only numbers between 0 and 1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'statsmodels==0.15.0' 'scipy==1.17.1' 'pingouin==0.7.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import warnings

warnings.simplefilter("ignore")
import numpy as np
import pingouin
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

p = [0.001, 0.02, float("nan"), 0.04]
seen = {}
for method in ["bonferroni", "sidak", "holm", "holm-sidak", "simes-hochberg", "hommel",
               "fdr_bh", "fdr_by", "fdr_tsbh", "fdr_tsbky", "fdr_gbs"]:
    reject, corrected = multipletests(p, method=method)[:2]
    seen[method] = int(np.isnan(corrected).sum()), "".join("-R"[int(r)] for r in reject)
    print(f"{method:15} NaN {seen[method][0]} of 4, rejected {seen[method][1]}")
print("pingouin, holm", pingouin.multicomp(p, method="holm")[1])
assert [m for m, (nans, _) in seen.items() if nans == 1] == ["bonferroni", "sidak", "holm", "holm-sidak"]
assert seen["fdr_bh"] == (4, "RR--") and seen["fdr_tsbh"] == (4, "RR-R")
assert seen["hommel"] == (4, "----") and seen["fdr_gbs"] == (4, "----")
try:
    false_discovery_control(p)
    raise SystemExit("scipy took the NaN")
except ValueError as error:
    print("scipy:", error)
PY
