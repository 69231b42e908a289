#!/usr/bin/env bash
# Raters who agree almost perfectly come out worse than chance once their ratings are bytes.
#
# Expected: Krippendorff's alpha of the same ratings is the same whatever type they are stored in,
# or a type that cannot hold a difference is refused.
# Happens: krippendorff takes the differences of the values in the type it is given, and only then
# turns them into floats. In uint8 a difference of -1 is 255: three raters of 50 photos who differ
# by at most 6 of 127 points have an alpha of 0.997 as int64 and of -0.096 as uint8; by the ratio
# metric, 0.928 becomes -5.242. Nothing is said. The ordinal and the nominal metric are right.
# Versions: krippendorff 0.9.0, numpy 2.4.6; Python 3.11.
# For a user: ratings read from a PNG, an IDX file or an 8-bit table are uint8. Turn them into
# float64 first.
#
# Seen:
#   interval  int64 +0.997  float32 +0.997  uint8 -0.096
#   ratio     int64 +0.928  float32 +0.928  uint8 -5.242
#   ordinal   int64 +0.993  float32 +0.993  uint8 +0.993
#   nominal   int64 +0.159  float32 +0.159  uint8 +0.159
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'krippendorff==0.9.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import krippendorff
import numpy as np

rng = np.random.default_rng(0)
points = rng.integers(3, 124, 50)
ratings = np.stack([points + rng.integers(-3, 4, 50) for _ in range(3)])
seen = {}
for metric in ("interval", "ratio", "ordinal", "nominal"):
    seen[metric] = {kind: krippendorff.alpha(ratings.astype(kind), level_of_measurement=metric)
                    for kind in ("int64", "float32", "uint8")}
    print(f"{metric:9}", *(f"{kind} {alpha:+.3f} " for kind, alpha in seen[metric].items()))
for row in seen.values():
    assert np.isclose(row["int64"], row["float32"])
assert seen["interval"]["int64"] > 0.99 and seen["interval"]["uint8"] < 0
assert seen["ratio"]["int64"] > 0.8 and seen["ratio"]["uint8"] < 0
assert seen["nominal"]["int64"] == seen["nominal"]["uint8"]
PY
