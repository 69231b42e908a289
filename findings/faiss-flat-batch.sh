#!/usr/bin/env bash
# The nearest picture depends on how many pictures you ask for at once.
#
# Expected: faiss.IndexFlatL2 is the exact search that others are measured by: the same neighbours and
# distances for a query alone and in a batch.
# Happens: few queries are compared pixel by pixel. Many at once are |x|^2 + |y|^2 - 2xy in float32, where
# bright pictures, with squares of 4e7, leave a rounding error of some grey levels squared, also
# if they are scaled to 0..1; negative distances are shown as 0. A picture that is in the index itself is
# then not its own nearest neighbour, and others have distance 0 without being equal.
# Versions: faiss-cpu 1.15.1, numpy 2.4.6; Python 3.11, x86-64.
# For a user: near doubles are small distances between long vectors, where this matters most. Subtract
# the mean picture before, and compute the distances of what is found again.
#
# Seen:
#   1 at once: 100.0% find themselves; squared distance of the doubles, which is 8: 8 to 8, 0 of 500 are 0; less the mean picture 8.0 to 8.0
#   500 at once: 84.6% find themselves; squared distance of the doubles, which is 8: 0 to 24, 12 of 500 are 0; less the mean picture 7.4 to 8.8
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'faiss-cpu==1.15.1' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import faiss
import numpy as np

random = np.random.default_rng(0)
photos = np.full((500, 28, 28), 250, "f4")
photos[:, 7:21, 7:21] = random.integers(0, 256, (500, 14, 14))
photos = photos.reshape(500, 784)
doubles = photos.copy()
for double in doubles:
    double[random.choice(784, 8, replace=False)] += 1  # eight pixels, one grey level


def ask(index, queries, at_once):
    parts = [index.search(queries[k:k + at_once], 1) for k in range(0, len(queries), at_once)]
    return (np.concatenate([part[which][:, 0] for part in parts]) for which in (0, 1))


both, others = faiss.IndexFlatL2(784), faiss.IndexFlatL2(784)
both.add(np.concatenate([doubles, photos]))
others.add(doubles)
centred = faiss.IndexFlatL2(784)
centred.add(doubles - photos.mean(0))
found = {}
for at_once in (1, 500):
    _, nearest = ask(both, photos, at_once)
    distances, _ = ask(others, photos, at_once)
    small, _ = ask(centred, photos - photos.mean(0), at_once)
    found[at_once] = (nearest == np.arange(500, 1000)).mean(), distances, small
    print(f"{at_once} at once: {found[at_once][0]:.1%} find themselves; squared distance of the doubles, which is 8: "
          f"{distances.min():g} to {distances.max():g}, {(distances == 0).sum()} of 500 are 0; "
          f"less the mean picture {small.min():.1f} to {small.max():.1f}")
assert found[1][0] == 1 and (found[1][1] == 8).all()
assert found[500][0] < 0.95 and np.ptp(found[500][1]) > 8 and (found[500][1] == 0).any()
PY
