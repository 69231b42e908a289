#!/usr/bin/env bash
# Whole numbers of a 'uniform' range: the first and the last come half as often.
#
# Expected: hyperopt's hp.uniformint('n', 1, 3) draws 1, 2 and 3 a third each, and so does
# nevergrad's Scalar(lower=1, upper=3) with integer casting under RandomSearch.
# Happens: both draw a real number between the bounds and round it, so the ends have half an
# interval: 1 in 4, 1 in 2, 1 in 4. For a choice of two, such as 0 or 1, it is even again.
# optuna's suggest_int draws thirds, and so do hp.randint and nevergrad's Choice.
# Versions: hyperopt 0.3.0, nevergrad 1.0.12, optuna 5.0.0, numpy 2.4.6; Python 3.11.
# For a user: in a random search over a few layers or widths the ends of the range, where the
# answer often lies, get half as many trials, and a comparison of searchers is not of equals.
#
# Seen:
#   hyperopt uniformint  [0.23, 0.5, 0.26]
#   nevergrad Scalar     [0.24, 0.5, 0.26]
#   hyperopt randint     [0.32, 0.34, 0.34]
#   nevergrad Choice     [0.34, 0.32, 0.33]
#   optuna suggest_int   [0.33, 0.32, 0.34]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'hyperopt==0.3.0' 'nevergrad==1.0.12' 'optuna==5.0.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import logging
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.INFO)
import hyperopt
import nevergrad
import numpy as np
import optuna

N = 3000


def by_hyperopt(space):
    trials = hyperopt.Trials()
    hyperopt.fmin(lambda n: 0.0, space, algo=hyperopt.rand.suggest, max_evals=N, trials=trials,
                  rstate=np.random.default_rng(0), show_progressbar=False)
    return [int(t["misc"]["vals"]["n"][0]) for t in trials.trials]


def by_nevergrad(parameter):
    search = nevergrad.optimizers.RandomSearch(parameter, budget=N)
    search.parametrization.random_state.seed(0)
    return [int(search.ask().value) for _ in range(N)]


def by_optuna():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [study.ask().suggest_int("n", 1, 3) for _ in range(N)]


scalar = nevergrad.p.Scalar(lower=1, upper=3).set_integer_casting()
seen = {"hyperopt uniformint": by_hyperopt(hyperopt.hp.uniformint("n", 1, 3)),
        "nevergrad Scalar": by_nevergrad(scalar),
        "hyperopt randint": by_hyperopt(hyperopt.hp.randint("n", 1, 4)),
        "nevergrad Choice": by_nevergrad(nevergrad.p.Choice([1, 2, 3])),
        "optuna suggest_int": by_optuna()}
for name, drawn in seen.items():
    share = np.bincount(drawn, minlength=4)[1:] / N
    print(f"{name:20}", share.round(2).tolist())
    expected = [0.25, 0.5, 0.25] if name in ("hyperopt uniformint", "nevergrad Scalar") else [1 / 3] * 3
    assert np.allclose(share, expected, atol=0.04)
PY
