#!/usr/bin/env bash
# Worker 0 of a seed draws the same numbers as the seed itself.
#
# Expected: default_rng([seed, worker]) gives every worker a stream of its own, apart from
# that of default_rng(seed). (NumPy's guide shows the list in the other order; one would take
# the order for a matter of taste.)
# Happens: zeros at the end of the list do not count. [42, 0] and [42, 0, 0] are the stream of
# 42; a second level (fold 0, worker 0) vanishes as well. Only from the fifth number on do
# zeros count, and then [42, 0, 0, 0, 0] is the first child of SeedSequence(42).spawn().
# A seed of more than 32 bits is the list of its words: 2**32 + 5 is [5, 1].
# Versions: numpy 2.4.6; Python 3.11.
# For a user: where the main process shuffles with default_rng(seed) and worker 0 augments with
# default_rng([seed, 0]), both draw the same numbers, so augmentation and order are tied.
# Put the varying number first, count it from 1, or use spawn() and its children only.
#
# Seen:
#   [42]         [0.774, 0.4389, 0.8586] same as 42
#   [42, 0]      [0.774, 0.4389, 0.8586] same as 42
#   [42, 0, 0]   [0.774, 0.4389, 0.8586] same as 42
#   [42, 1]      [0.7935, 0.246, 0.4044]
#   [0, 42]      [0.9266, 0.0696, 0.8781]
#   first child  [0.9167, 0.911, 0.8766] same as [42, 0, 0, 0, 0]: True
#   2**32 + 5 is [5, 1]: True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np


def draw(*seed):
    return np.random.default_rng(*seed).random(3).round(4).tolist()


main = draw(42)
for seed in ([42], [42, 0], [42, 0, 0], [42, 1], [0, 42]):
    print(f"{str(seed):12} {draw(seed)} {'same as 42' if draw(seed) == main else ''}")
assert draw([42, 0]) == draw([42, 0, 0]) == main
assert draw([42, 1]) != main and draw([0, 42]) != main
child = np.random.default_rng(np.random.SeedSequence(42).spawn(1)[0]).random(3).round(4).tolist()
print("first child ", child, "same as [42, 0, 0, 0, 0]:", child == draw([42, 0, 0, 0, 0]))
assert child == draw([42, 0, 0, 0, 0]) != main
print("2**32 + 5 is [5, 1]:", draw(2**32 + 5) == draw([5, 1]))
assert draw(2**32 + 5) == draw([5, 1])
PY
