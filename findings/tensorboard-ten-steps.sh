#!/usr/bin/env bash
# A training of 30,000 steps comes back from its TensorBoard log as 10,000 of them, or as 10.
#
# Expected: EventAccumulator(folder).Reload().Scalars("accuracy") gives back what was logged.
# Happens: it keeps a random sample of 10,000 scalars of each curve (a reservoir; the last is always
# kept), so the best step, the first, and any short spike are most likely gone, and nothing in the answer
# says so. Written by TensorBoard's own Writer, or by TensorFlow and Keras, the same curve is stored as
# tensors, and ten steps of 30,000 come back. tensorboardX and PyTorch write the kind that keeps 10,000.
# Versions: tensorboard 2.21.0, tensorboardX 2.6.5, numpy 2.4.6; Python 3.11.
# For a user: EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0}) reads all.
#
# Seen:
#   tensorboardX, as it is: 10000 steps, the first is 2, the best accuracy 0.9
#   tensorboardX, all: 30000 steps, the first is 0, the best accuracy 0.95
#   tensorboard's Writer, as it is: 10 steps, the first is 3669, the best accuracy 0.9
#   tensorboard's Writer, all: 30000 steps, the first is 0, the best accuracy 0.95
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'tensorboard==2.21.0' 'tensorboardX==2.6.5' 'numpy==2.4.6' \
  'setuptools==80.9.0'
OMP_NUM_THREADS=1 venv/bin/python - 2>/dev/null <<'PY'
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary import Writer
from tensorboard.util import tensor_util
from tensorboardX import SummaryWriter

STEPS, BEST = 30_000, 12_345
for folder, writer in (("x", SummaryWriter("x")), ("own", Writer("own"))):
    for step in range(STEPS):
        writer.add_scalar("accuracy", 0.95 if step == BEST else 0.9, step)
    writer.close()


def read(folder, **settings):
    """Return the number of steps that come back, the first of them, and the best value."""
    log = EventAccumulator(folder, **settings)
    log.Reload()
    if log.Tags()["scalars"]:
        steps, values = zip(*((e.step, e.value) for e in log.Scalars("accuracy")))
    else:
        steps, values = zip(*((e.step, tensor_util.make_ndarray(e.tensor_proto).item()) for e in log.Tensors("accuracy")))
    return len(steps), steps[0], round(max(values), 3)


everything = {"size_guidance": {"scalars": 0, "tensors": 0}}
seen = {}
for name, folder, settings in (("tensorboardX, as it is", "x", {}), ("tensorboardX, all", "x", everything),
                               ("tensorboard's Writer, as it is", "own", {}), ("tensorboard's Writer, all", "own", everything)):
    seen[name] = read(folder, **settings)
    print(f"{name}: {seen[name][0]} steps, the first is {seen[name][1]}, the best accuracy {seen[name][2]}")
for name, kept in (("tensorboardX", 10_000), ("tensorboard's Writer", 10)):
    assert seen[f"{name}, as it is"][0] == kept and seen[f"{name}, as it is"][2] == 0.9
    assert seen[f"{name}, all"] == (STEPS, 0, 0.95)
PY
