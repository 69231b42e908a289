#!/usr/bin/env bash
# Six grey pixels in a corner make the Poisson noise of a whole picture less than half as strong.
#
# Expected: Poisson noise of a pixel depends on how bright that pixel is, and on the photons that a
# setting assigns to white; of two pictures with the same shirt, the shirts get the same noise.
# Happens: skimage's random_noise(image, "poisson") has no such setting. It counts the different grey
# values in the picture and rounds up to a power of two: so many photons make white. A two-tone mask
# gets 2, and is all but destroyed; the same with six other grey pixels gets 8, a photo 256. Along an
# augmented data set the strength of the noise tells the simple pictures from the detailed ones.
# Versions: scikit-image 0.26.0, numpy 2.4.6; Python 3.11. (A note in its docstring says so.)
# For a user: numpy's rng.poisson(image * photons) / photons, with a number that you chose.
#
# Seen:
#   two tones                 grey values   2: deviation of the noise within the shirt 0.488
#   six grey pixels more      grey values   8: deviation of the noise within the shirt 0.237
#   255 greys along the edge  grey values 255: deviation of the noise within the shirt 0.044
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'scikit-image==0.26.0' 'numpy==2.4.6' 'scipy==1.17.1'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
from skimage.util import random_noise

shirt = np.zeros((64, 64))
shirt[16:48, 20:44] = 0.5
corner = shirt.copy()
corner[0, :6] = (0.1, 0.2, 0.3, 0.4, 0.6, 0.7)
edge = shirt.copy()
edge[:4].flat[:255] = np.linspace(0, 1, 255)
seen = {}
for name, image in {"two tones": shirt, "six grey pixels more": corner, "255 greys along the edge": edge}.items():
    noisy = random_noise(image, "poisson", rng=0, clip=False)
    seen[name] = (noisy - image)[16:48, 20:44].std()
    print(f"{name:25} grey values {len(np.unique(image)):3}: deviation of the noise within the shirt {seen[name]:.3f}")
values = list(seen.values())
assert values[0] > 0.45 and values[0] > 1.8 * values[1] and values[1] > 4 * values[2]
PY
