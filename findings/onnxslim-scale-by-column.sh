#!/usr/bin/env bash
# A scale along the width is taken for one along the channels, if their numbers agree.
#
# Expected: onnxslim.slim(model) keeps the outputs, at any size of picture.
# Happens: Conv followed by Mul with a vector of four numbers scales the four columns of its
# output (ONNX aligns at the right). Where the convolution also has four channels, onnxslim
# multiplies the vector into the filters, that is, it scales the channels. The outputs are
# wrong by as much as they are large. With five columns and five numbers all is right.
# Versions: onnxslim 0.1.98, onnx 1.23.2, onnxruntime 1.32.0; Python 3.11.
# For a user: the model passes the checker and has the right shapes. Run it before and after
# on real pictures; a size at which channels and columns differ hides the fault.
#
# Seen:
#   4 channels, 4 columns: nodes ['Conv'] largest error 26, largest output 51
#     equals a scale of the channels: True
#   4 channels, 5 columns: nodes ['Conv', 'Mul'] largest error 0, largest output 72
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'onnxslim==0.1.98' 'onnx==1.23.2' 'onnxruntime==1.32.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import copy

import numpy as np
import onnx
import onnxruntime
import onnxslim
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(0)
filters = rng.normal(size=(4, 3, 3, 3)).astype("f4")


def run(made, images):
    return onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": images})[0]


error = {}
for columns in (4, 5):
    side = columns + 2
    scale = np.arange(1, columns + 1, dtype="f4")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[3, 3]),
         helper.make_node("Mul", ["a", "s"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, columns, columns])],
        [numpy_helper.from_array(filters, "w"), numpy_helper.from_array(scale, "s")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made, full_check=True)
    slim = onnxslim.slim(copy.deepcopy(made))
    images = rng.normal(size=(1, 3, side, side)).astype("f4")
    before, after = run(made, images), run(slim, images)
    error[columns] = float(abs(before - after).max())
    print(f"4 channels, {columns} columns: nodes", [n.op_type for n in slim.graph.node],
          f"largest error {error[columns]:.2g}, largest output {abs(before).max():.2g}")
    if columns == 4:
        conv = run(made, images) / scale
        print("  equals a scale of the channels:", np.allclose(after, conv * scale[:, None, None], atol=1e-4))
assert error[4] > 5 and error[5] < 1e-4
PY
