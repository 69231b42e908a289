#!/usr/bin/env bash
# The first principal component of bright float32 pictures is rounding error.
#
# Expected: PCA subtracts the mean first, so a constant added to all pixels changes nothing beyond a
# few digits; svd_solver="full" is such a one.
# Happens: for ten times as many pictures as pixels, scikit-learn's default is "covariance_eigh". It
# computes X'X - n m m' in the type of the data. In float32 the small difference of two large numbers
# is noise once the mean is some hundred times the deviation: of nearly white pages (250, deviation 0.2)
# the largest "variance" is nine times the true one, of a flat patch in 16 bits (40,000, deviation 5) a
# hundred times, and the components point anywhere. Nothing is said. At mean 0, and in float64, the default is as exact as "full".
# Versions: scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1; Python 3.11.
# For a user: 16-bit and nearly flat pictures, logits with a large offset. Subtract the mean yourself,
# pass float64, or ask for svd_solver="full".
#
# Seen:
#   mean 0 deviation 5: largest variance in float32 by default 716.8, by full 716.8, in float64 716.8; default against float64, cosines 1.000 1.000 1.000
#   mean 128 deviation 1: largest variance in float32 by default 28.69, by full 28.67, in float64 28.67; default against float64, cosines 1.000 1.000 1.000
#   mean 250 deviation 0.2: largest variance in float32 by default 10.76, by full 1.147, in float64 1.147; default against float64, cosines 0.114 0.171 0.041
#   mean 40000 deviation 5: largest variance in float32 by default 7.088e+04, by full 716.8, in float64 716.8; default against float64, cosines 0.341 0.090 0.005
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'scikit-learn==1.9.1' 'numpy==2.4.6' 'scipy==1.17.1'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
from sklearn.decomposition import PCA

rng = np.random.default_rng(0)
pictures = rng.normal(size=(20_000, 3)) @ rng.normal(size=(3, 100)) + rng.normal(size=(20_000, 100))
pictures /= pictures.std()
seen = {}
for mean, deviation in ((0, 5), (128, 1), (250, 0.2), (40_000, 5)):
    pixels = (mean + deviation * pictures).astype("f4")
    default, full, exact = PCA(3).fit(pixels), PCA(3, svd_solver="full").fit(pixels), PCA(3).fit(pixels.astype("f8"))
    alignment = np.abs(default.components_ @ exact.components_.T).diagonal()
    tops = [p.explained_variance_[0] for p in (default, full, exact)]
    print(f"mean {mean} deviation {deviation}: largest variance in float32 by default {tops[0]:.4g}, by full {tops[1]:.4g}, "
          f"in float64 {tops[2]:.4g}; default against float64, cosines", *(f"{c:.3f}" for c in alignment))
    assert default._fit_svd_solver == "covariance_eigh" and np.isclose(tops[1], tops[2], rtol=1e-3)
    seen[mean] = tops[0] / tops[2], alignment.min()
assert abs(seen[0][0] - 1) < 1e-3 and seen[0][1] > 0.999
for mean in (250, 40_000):
    assert seen[mean][0] > 5 and seen[mean][1] < 0.5
PY
