#!/usr/bin/env bash
# The reference implementation of LRN normalises as many channels as there are pictures.
#
# Expected: onnx.reference.ReferenceEvaluator is the yardstick for runtimes, so LRN (in
# AlexNet and GoogLeNet) scales every channel by its neighbours.
# Happens: its loop over channels runs over the batch. One picture: channel 0 is normalised,
# all others are only divided by the bias term. Four pictures: four channels. With as many
# pictures as channels it agrees with ONNX Runtime; with one more it raises an IndexError. So
# the output for a picture depends on how many others come with it.
# Versions: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6; Python 3.11.
# For a user: a comparison with the reference, one picture at a time, blames the runtime.
#
# Seen:
#   batch 1: channels that agree with ONNX Runtime: 1, of the others all unchanged
#   batch 4: channels that agree with ONNX Runtime: 4, of the others all unchanged
#   batch 8: channels that agree with ONNX Runtime: 8, of the others all unchanged
#   batch 9: IndexError, index 8 is out of bounds for axis 1 with size 8
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'onnx==1.23.2' 'onnxruntime==1.32.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

node = helper.make_node("LRN", ["x"], ["y"], size=5, alpha=1.0, beta=0.75, bias=1.0)
shape = ["n", 8, 2, 2]
graph = helper.make_graph([node], "g",
                          [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
reference = ReferenceEvaluator(model)

images = np.random.default_rng(0).normal(size=(9, 8, 2, 2)).astype("f4")
whole = session.run(None, {"x": images})[0]
for batch in (1, 4, 8):
    feed = {"x": images[:batch]}
    assert np.allclose(session.run(None, feed)[0], whole[:batch], atol=1e-6)
    got = reference.run(None, feed)[0]
    right = [bool(np.allclose(got[:, c], whole[:batch, c], atol=1e-5)) for c in range(8)]
    print(f"batch {batch}: channels that agree with ONNX Runtime: {sum(right)}, of the others",
          "all unchanged" if np.array_equal(got[:, batch:], images[:batch, batch:]) else "some changed")
    assert right == [c < batch for c in range(8)]
    assert np.array_equal(got[:, batch:], images[:batch, batch:])
try:
    reference.run(None, {"x": images})
    raise SystemExit("batch 9 ran")
except IndexError as error:
    print("batch 9: IndexError,", error)
PY
