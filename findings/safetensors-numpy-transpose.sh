#!/usr/bin/env bash
# A transposed array is written in the wrong order, without a word.
#
# Expected: safetensors.numpy.save_file writes what the array holds, or refuses, as
# safetensors.torch does ('You are trying to save a non contiguous tensor').
# Happens: it writes the memory behind the array in the order in which it lies there, under
# the shape of the view. A transposed matrix, or one in Fortran order, comes back with the
# right shape, type, sum and norm, and its numbers dealt out anew. save() to bytes does the
# same. np.ascontiguousarray() before it mends it.
# Versions: safetensors 0.8.0, numpy 2.4.6; Python 3.11.
# For a user: 'weight.T' is how a torch Linear becomes a kernel of JAX, Keras or scikit-learn,
# and pandas and SciPy hand out Fortran order. A model saved so loads cleanly and guesses.
#
# Seen:
#   kernel  [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
#   loaded  [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
#   copied  [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
#   weight  [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]] in Fortran order, loaded [[0.0, 3.0, 1.0], [4.0, 2.0, 5.0]]
#   a linear classifier of 10 classes agrees with itself on 12% of inputs
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'safetensors==0.8.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
from safetensors.numpy import load, load_file, save, save_file

weight = np.arange(6, dtype="f4").reshape(2, 3)  # as torch keeps it: outputs by inputs
kernel = weight.T  # as others want it: inputs by outputs
save_file({"kernel": kernel, "fortran": np.asfortranarray(weight),
           "copied": np.ascontiguousarray(kernel)}, "model.safetensors")
back = load_file("model.safetensors")
print("kernel ", kernel.tolist())
print("loaded ", back["kernel"].tolist())
print("copied ", back["copied"].tolist())
print("weight ", weight.tolist(), "in Fortran order, loaded", back["fortran"].tolist())
assert back["kernel"].shape == kernel.shape and back["kernel"].sum() == kernel.sum()
assert not np.array_equal(back["kernel"], kernel)
assert np.array_equal(back["kernel"].ravel(), weight.ravel())  # the order in memory
assert not np.array_equal(back["fortran"], weight)
assert np.array_equal(load(save({"k": kernel}))["k"], back["kernel"])
assert np.array_equal(back["copied"], kernel)
rng = np.random.default_rng(0)
images, big = rng.normal(size=(2000, 784)), rng.normal(size=(10, 784)).astype("f4")
save_file({"k": big.T}, "model.safetensors")
same = (images @ big.T).argmax(1) == (images @ load_file("model.safetensors")["k"]).argmax(1)
print(f"a linear classifier of 10 classes agrees with itself on {same.mean():.0%} of inputs")
assert same.mean() < 0.2
PY
