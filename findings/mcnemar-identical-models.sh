#!/usr/bin/env bash
# Two models that never disagree differ significantly, with p = 0.
#
# Expected: McNemar's test on the predictions of a model and its copy says p = 1, as the exact form does,
# or that there is nothing to test. A correction for continuity makes a test more careful, never less.
# Happens: statsmodels and mlxtend compute (|b - c| - 1)^2 / (b + c). Where no image tells the models
# apart this is 1 / 0, so p = 0.0, the most significant value there is. Where each is right on one image
# that the other misses, the correction turns p = 1 into 0.48. mlxtend corrects by default; pingouin
# refuses the first table, and does as the others with the second.
# Versions: statsmodels 0.15.0, mlxtend 0.25.0, pingouin 0.7.0, scipy 1.17.1, numpy 2.4.6, pandas 3.1.1;
# Python 3.11.
# For a user: two exports of one network, two seeds of a deterministic method. Use the exact test, or
# clip |b - c| - 1 at 0 and ask whether b + c is 0 first.
#
# Seen:
#   a model and its copy: exact 1.0, statsmodels 0.0, mlxtend 0.0, pingouin refused, uncorrected nan
#   one image each: exact 1.0, statsmodels 0.48, mlxtend 0.48, pingouin 0.48, uncorrected 1.0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'statsmodels==0.15.0' 'mlxtend==0.25.0' 'pingouin==0.7.0' \
  'scipy==1.17.1' 'numpy==2.4.6' 'pandas==3.1.1'
OMP_NUM_THREADS=1 MPLBACKEND=agg venv/bin/python - <<'PY'
import warnings

import numpy as np
import pandas as pd
import pingouin
from mlxtend.evaluate import mcnemar as by_mlxtend
from statsmodels.stats.contingency_tables import mcnemar as by_statsmodels

warnings.simplefilter("ignore")


def by_pingouin(table):
    """Return pingouin's corrected p-value of the table, or its refusal."""
    cells = [(i, j) for i in (0, 1) for j in (0, 1) for _ in range(table[i, j])]
    try:
        _, stats = pingouin.chi2_mcnemar(pd.DataFrame(cells, columns=["a", "b"]), "a", "b")
    except ValueError:
        return "refused"
    return stats.iloc[0, list(stats.columns).index([c for c in stats.columns if c.startswith("p") and "exact" not in c][0])]


seen = {}
for name, table in {"a model and its copy": [[8900, 0], [0, 1100]], "one image each": [[8900, 1], [1, 1098]]}.items():
    table = np.array(table)
    seen[name] = {"exact": by_statsmodels(table).pvalue,
                  "statsmodels": by_statsmodels(table, exact=False).pvalue,
                  "mlxtend": by_mlxtend(table)[1],
                  "pingouin": by_pingouin(table),
                  "uncorrected": by_mlxtend(table, corrected=False)[1]}
    print(f"{name}:", ", ".join(f"{k} {v if isinstance(v, str) else round(float(v), 3)}" for k, v in seen[name].items()))
copy, one = seen.values()
assert copy["exact"] == 1 and copy["statsmodels"] == copy["mlxtend"] == 0 and copy["pingouin"] == "refused"
assert one["exact"] == one["uncorrected"] == 1
assert all(0.4 < one[k] < 0.5 for k in ("statsmodels", "mlxtend", "pingouin"))
PY
