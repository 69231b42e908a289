#!/usr/bin/env bash
# In NumPy 90 % right and 60 % right are the same accuracy, 25.6 %, once the answers are bfloat16.
#
# Expected: np.mean of an array of half-precision floats adds in float32, as its documentation says
# of float16, so bfloat16 costs a digit and no more. jnp.mean of the same array does that.
# Happens: the type comes from ml_dtypes, and NumPy adds in it, one value after the other. Ones stop
# adding up at 256, where the next number in bfloat16 is 258. The mean of 1000 values of 0 and 1
# is 0.256 as soon as more than 256 of them are ones; np.average and np.std go wrong with it.
# In float8_e4m3fn the sum stops at 16.
# Versions: numpy 2.4.6, ml_dtypes 0.6.0, jax 0.10.2; Python 3.11.
# For a user: arrays of JAX become such arrays by np.asarray, or wherever NumPy takes them: losses,
# confidences and hits of a network that runs in bfloat16. Take jnp.mean, or mean(dtype="f4").
#
# Seen:
#   900 of 1000 right: jax 0.898, numpy 0.256, numpy in float32 0.900
#   600 of 1000 right: jax 0.602, numpy 0.256, numpy in float32 0.600
#   1000 equal losses of 1: mean 0.256, sd 0.504; in float8_e4m3fn mean 0.016
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'numpy==2.4.6' 'ml_dtypes==0.6.0' 'jax==0.10.2'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import warnings

import jax.numpy as jnp
import ml_dtypes
import numpy as np

warnings.simplefilter("ignore")
for right in (900, 600):
    hits = jnp.asarray(np.random.default_rng(0).permutation(1000) < right).astype(jnp.bfloat16)
    array = np.asarray(hits)
    by_jax, by_numpy, wide = float(jnp.mean(hits)), float(array.mean()), float(array.mean(dtype="f4"))
    print(f"{right} of 1000 right: jax {by_jax:.3f}, numpy {by_numpy:.3f}, numpy in float32 {wide:.3f}")
    assert abs(by_jax - right / 1000) < 0.01 and abs(wide - right / 1000) < 1e-6
    assert abs(by_numpy - 0.256) < 0.001
ones = np.ones(1000)
mean, spread = ones.astype(ml_dtypes.bfloat16).mean(), ones.astype(ml_dtypes.bfloat16).std()
small = ones.astype(ml_dtypes.float8_e4m3fn).mean()
print(f"1000 equal losses of 1: mean {mean:.3f}, sd {spread:.3f}; in float8_e4m3fn mean {small:.3f}")
assert mean < 0.3 and spread > 0.4 and small < 0.02
PY
