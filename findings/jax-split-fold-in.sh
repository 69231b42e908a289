#!/usr/bin/env bash
# fold_in and split hand out the same keys.
#
# Expected: jax.random.fold_in(key, step) gives streams apart from those of
# jax.random.split(key), since the two are different functions of it.
# Happens: they are one function. split(key, n)[i] equals fold_in(key, i), bit by bit, for any
# n. So with 'init_key, data_key = split(key)' and 'fold_in(key, step)' in the loop, the noise
# of step 0 is that of the initial weights and step 1 shuffles as the data did. A longer split
# begins with the shorter one, and uniform(key, (100,)) begins with uniform(key, (10,)).
# Seeds are cut to 32 bits without x64: key(1) is key(2**32 + 1).
# Versions: jax 0.10.2, jaxlib 0.10.2, numpy 2.4.6; Python 3.11.
# For a user: never fold into a key that has been split too; fold only into one child. Two
# draws of different length from one key are not two samples.
#
# Seen:
#   split   [[3625411723, 1954958720], [195045567, 4062205631], [966301609, 1948237315], [276534068, 1641862660]]
#   fold_in [[3625411723, 1954958720], [195045567, 4062205631], [966301609, 1948237315], [276534068, 1641862660]]
#   initial weights [ 1.1140472   0.14163129 -0.5224542  -0.43304625] noise of step 0 [ 1.1140472   0.14163129 -0.5224542  -0.43304625]
#   10 draws begin the 100: True
#   key(1) is key(2**32 + 1): True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import jax
import numpy as np
from jax import random

key = random.key(7)
init_key, data_key = random.split(key)
folded = [random.fold_in(key, step) for step in range(4)]
parts = random.split(key, 4)
print("split  ", random.key_data(parts).tolist())
print("fold_in", [random.key_data(k).tolist() for k in folded])
weights = random.normal(init_key, (4,))
noise = random.normal(random.fold_in(key, 0), (4,))
print("initial weights", weights, "noise of step 0", noise)
assert np.array_equal(weights, noise)
assert all(np.array_equal(random.key_data(a), random.key_data(b)) for a, b in zip(parts, folded))
assert np.array_equal(random.permutation(data_key, 100), random.permutation(folded[1], 100))
assert np.array_equal(random.key_data(random.split(key, 2)), random.key_data(parts)[:2])
short, long = random.uniform(key, (10,)), random.uniform(key, (100,))
print("10 draws begin the 100:", bool((short == long[:10]).all()))
assert (short == long[:10]).all()
same = np.array_equal(random.key_data(random.key(1)), random.key_data(random.key(2**32 + 1)))
print("key(1) is key(2**32 + 1):", same)
assert same
PY
