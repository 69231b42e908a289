#!/usr/bin/env bash
# In an index of 8-bit vectors a picture and the same picture at half the brightness are equal.
#
# Expected: usearch's Index(metric="l2sq", dtype="i8") rounds Euclidean distances to 8 bits, and
# otherwise finds the neighbours of one in float32.
# Happens: every vector is scaled to its own length as it is rounded, whatever the metric, so "l2sq"
# is the distance of directions: three of four of the ten nearest pictures are others. Pictures that are
# scaled to 0..1 before are no remedy.
# Versions: usearch 2.26.6, numpy 2.4.6; Python 3.11, x86-64.
# For a user: round to whole numbers from -127 to 127 yourself, and add int8 arrays, which are taken as
# they are. Without dtype an index is bfloat16, not the float32 of the vectors that it is given.
#
# Seen:
#   float32: 100% of the ten nearest are right; squared distance to half the brightness 55.7
#   i8: 26% of the ten nearest are right; squared distance to half the brightness 0.0
#   i8, rounded by hand: 98% of the ten nearest are right; squared distance to half the brightness 898984.0
#   type of an index without dtype: bf16
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'usearch==2.26.6' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
from usearch.index import Index

random = np.random.default_rng(0)
shirts = random.random((500, 784)).astype("f4") * random.random((500, 1)).astype("f4")  # some are dark
shirts[1] = shirts[0] / 2
asked = (shirts + 0.01 * random.normal(size=shirts.shape).astype("f4")).clip(0, 1)
exact = np.argsort(((asked[:, None] - shirts) ** 2).sum(2), axis=1)[:, :10]
whole, asked_whole = (np.rint(127 * vectors).astype(np.int8) for vectors in (shirts, asked))


def search(vectors, queries, dtype, count):
    index = Index(ndim=784, metric="l2sq", dtype=dtype)
    index.add(np.arange(len(vectors)), vectors)
    return index.search(queries, count, exact=True)


shared, halves = {}, {}
for name, dtype, vectors, queries in (
    ("float32", "f32", shirts, asked), ("i8", "i8", shirts, asked), ("i8, rounded by hand", "i8", whole, asked_whole)
):
    found = search(vectors, queries, dtype, 10).keys
    shared[name] = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), exact.tolist())])
    halves[name] = float(search(vectors[:2], vectors[0], dtype, 2).distances[1])
    print(f"{name}: {shared[name]:.0%} of the ten nearest are right; squared distance to half the brightness {halves[name]:.1f}")
print("type of an index without dtype:", Index(ndim=784).dtype.name.lower())
assert shared["float32"] == 1 and shared["i8, rounded by hand"] > 0.9 and shared["i8"] < 0.4
assert halves["float32"] > 50 and halves["i8"] == 0
PY
