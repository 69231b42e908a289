#!/usr/bin/env bash
# Normalising a flat bright picture in flax gives anything but mean 0 and variance 1.
#
# Expected: LayerNorm, GroupNorm and BatchNorm subtract the mean before they square, or are as
# exact as if they did, as in torch and equinox.
# Happens: flax takes the mean of the squares less the square of the mean, in float32
# (use_fast_variance=True). What is left is rounding error once the mean is some hundreds of
# times the deviation: a nearly white 8-bit page (250, deviation 0.2) comes out with deviation
# 1.3 in place of 1, a flat patch of a 16-bit picture (40,000, deviation 5) with thousands
# or with nearly 0. use_fast_variance=False, and equinox, give 1.
# Versions: flax 0.12.8, equinox 0.13.8, jax 0.10.2; Python 3.11.
# For a user: first layers on raw pixel values, and features with a large common offset. A
# network ported from torch differs there.
#
# Seen:
#   8-bit page 250 +- 0.2, deviation after it should be 1.000: flax GroupNorm 1.313, flax LayerNorm 1.072, flax, slow variance 1.000, equinox GroupNorm 1.000
#   16-bit patch 40000 +- 5, deviation after it should be 1.000: flax GroupNorm 4831.873, flax LayerNorm 0.427, flax, slow variance 1.000, equinox GroupNorm 1.000
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'flax==0.12.8' 'equinox==0.13.8' 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import equinox
import flax.linen as nn
import jax
import numpy as np

rng = np.random.default_rng(0)
key = jax.random.key(0)


def by_flax(layer, images):
    return np.asarray(layer.apply(layer.init(key, images), images)).astype("f8").std()


seen = {}
for name, mean, deviation in [("8-bit page", 250, 0.2), ("16-bit patch", 40_000, 5)]:
    images = (mean + rng.normal(0, deviation, (1, 28, 28, 1))).astype("f4")
    exact = images.astype("f8").std() / np.sqrt(images.astype("f8").var() + 1e-6)
    rows = {"flax GroupNorm": by_flax(nn.GroupNorm(num_groups=1), images),
            "flax LayerNorm": by_flax(nn.LayerNorm(), images.reshape(1, 784)),
            "flax, slow variance": by_flax(nn.GroupNorm(num_groups=1, use_fast_variance=False), images),
            "equinox GroupNorm": np.asarray(equinox.nn.GroupNorm(1, 1, eps=1e-6)(images[0].transpose(2, 0, 1))).std()}
    print(f"{name} {mean} +- {deviation}, deviation after it should be {exact:.3f}:",
          ", ".join(f"{k} {v:.3f}" for k, v in rows.items()))
    seen[name] = rows
for rows in seen.values():
    assert abs(rows["flax, slow variance"] - 1) < 0.03 and abs(rows["equinox GroupNorm"] - 1) < 0.03
for layer in ("flax GroupNorm", "flax LayerNorm"):
    assert not 0.5 < seen["16-bit patch"][layer] < 2
PY
