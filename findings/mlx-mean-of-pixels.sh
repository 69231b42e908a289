#!/usr/bin/env bash
# The mean of 60,000 pictures is 36 instead of 127, and their standard deviation 111 instead of 74.
#
# Expected: mx.mean over a whole data set is as exact as np.mean or torch.mean in float32, which add in parts.
# Happens: on the CPU mlx adds the numbers of an array one after the other in a few lanes of float32. A sum that
# has grown large swallows what is added to it: somewhere above 20 million numbers the mean falls short,
# and the standard deviation before that. Of random pixels between 0 and 1, as many as Fashion-MNIST
# has, the mean is 0.36 instead of 0.50. In float16 the sum is
# float16 too, so the mean of 200,000 numbers between 0 and 1 is infinite.
# Versions: mlx 0.32.4, numpy 2.4.6; Python 3.11, Linux, on the CPU.
# For a user: mean and sd for normalizing are computed from just such an array. Take the mean of every
# picture and then the mean of those, or NumPy; losses in float16 to float32 before they are averaged.
#
# Seen:
#   pixels 0..255: mlx mean 36.2, sd 111.0; numpy 127.5, 73.9; mlx, mean of the means of pictures 127.5
#   1,000,000 pixels 0..1: mlx mean 0.4997, sd 0.2885; numpy 0.4997, 0.2886
#   20,000,000 pixels 0..1: mlx mean 0.5000, sd 0.2850; numpy 0.5000, 0.2887
#   47,040,000 pixels 0..1: mlx mean 0.3567, sd 0.2995; numpy 0.4999, 0.2887
#   200,000 numbers of float16: mlx mean inf, numpy 0.500
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'mlx[cpu]==0.32.4' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import mlx.core as mx
import numpy as np

random = np.random.default_rng(0)
pictures = random.integers(0, 256, (60_000, 784), dtype=np.uint8)
array = mx.array(pictures)
mean, spread = float(mx.mean(array)), float(mx.std(array))
in_parts = float(mx.mean(mx.mean(array, axis=1)))
print(f"pixels 0..255: mlx mean {mean:.1f}, sd {spread:.1f}; numpy {pictures.mean():.1f}, {pictures.std():.1f}; "
      f"mlx, mean of the means of pictures {in_parts:.1f}")
assert mean < 50 and spread > 100 and abs(in_parts - pictures.mean()) < 0.1
del array
for count in (1_000_000, 20_000_000, 47_040_000):
    pixels = random.random(count, dtype=np.float32)
    found = mx.array(pixels)
    mean, spread = float(mx.mean(found)), float(mx.std(found))
    print(f"{count:,} pixels 0..1: mlx mean {mean:.4f}, sd {spread:.4f}; numpy {pixels.mean():.4f}, {pixels.std():.4f}")
assert mean < 0.4 and abs(pixels.mean() - 0.5) < 0.001
half = mx.array(random.random(200_000).astype(np.float16))
print(f"200,000 numbers of float16: mlx mean {float(mx.mean(half))}, numpy {np.array(half).mean():.3f}")
assert float(mx.mean(half)) == float("inf")
PY
