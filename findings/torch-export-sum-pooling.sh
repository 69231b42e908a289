#!/usr/bin/env bash
# Exported to ONNX, a sum becomes a mean and a finite loss becomes infinite.
#
# Expected: torch.onnx.export(dynamo=True) either keeps what a standard layer computes or raises.
# Happens: divisor_override is dropped. AvgPool2d(2, divisor_override=1), the usual way to sum
# over windows, is exported as a plain mean, four times smaller. LogSigmoid is exported as Log
# of Sigmoid, and ONNX Runtime's sigmoid is 0 from about -18 down: at -20 torch gives -20, the
# exported model minus infinity, and so is any mean with one such logit in it. Export, checker
# and shapes are clean; the older exporter (dynamo=False) drops the divisor as well.
# Versions: torch 2.13.0, onnxscript 0.7.2, onnx 1.23.2, onnxruntime 1.32.0; Python 3.11. (So
# too under torch 2.15.0.)
# For a user: compare outputs with the exported file, in the range that the model meets, not
# only on random normal inputs, which do not find the second.
#
# Seen:
#   sum over windows: torch [10.0, 18.0, 42.0, 50.0] exported [2.5, 4.5, 10.5, 12.5]
#   old exporter (dynamo=False): [2.5, 4.5, 10.5, 12.5]
#   log sigmoid at [-120.0, -20.0, -10.0, 0.0] torch [-120.         -20.         -10.000046    -0.6931472] exported [       -inf        -inf -10.000242   -0.6931472]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'torch==2.13.0' 'onnxscript==0.7.2' 'onnx==1.23.2' 'onnxruntime==1.32.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import contextlib
import io
import logging
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn


def exported(layer, x, **more):
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(layer.eval(), (x,), "a.onnx", verbose=False, **more)
    onnx.checker.check_model("a.onnx", full_check=True)
    session = onnxruntime.InferenceSession("a.onnx")
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


images = torch.arange(16.0).reshape(1, 1, 4, 4)
pool = nn.AvgPool2d(2, divisor_override=1)
right, got = pool(images).flatten().tolist(), exported(pool, images, dynamo=True).ravel().tolist()
print("sum over windows: torch", right, "exported", got)
assert got == [v / 4 for v in right]
old = exported(pool, images, dynamo=False).ravel().tolist()
print("old exporter (dynamo=False):", old)
assert old in (got, right)
logits = torch.tensor([-120.0, -20.0, -10.0, 0.0])
right, got = nn.LogSigmoid()(logits).numpy(), exported(nn.LogSigmoid(), logits, dynamo=True)
print("log sigmoid at", logits.tolist(), "torch", right, "exported", got)
assert np.allclose(right[:2], [-120, -20]) and np.isneginf(got[:2]).all()
assert np.allclose(right[2:], got[2:], atol=1e-3)
PY
