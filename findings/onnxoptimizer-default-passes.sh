#!/usr/bin/env bash
# The default passes of onnxoptimizer give another network.
#
# Expected: onnxoptimizer.optimize(model) with its default passes keeps the outputs.
# Happens: (1) a Pad with zeros before MaxPool is folded into the pads of the pool, which pad
# with minus infinity: where the border holds negative values, the zero that should win is
# gone. (2) Of two Reshapes only the second is kept, but its 0, 'as in the input', now means
# the size before the first: (1, 3, 8, 8) to (3, 64) to (0, -1, 8) comes out as (1, 24, 8)
# instead of (3, 8, 8). ONNX Runtime's own optimizer keeps both.
# Versions: onnxoptimizer 0.4.2, onnx 1.23.2, onnxruntime 1.32.0; Python 3.11.
# For a user: zero padding before a pool is what 'same' padding in older exports is made of.
# Compare outputs before and after, on inputs with negative values too; shapes alone are no
# check for (1).
#
# Seen:
#   pad and pool, corner: before 0.0 after -1.27
#   nodes after: ['MaxPool']
#   two reshapes: before (3, 8, 8) after (1, 24, 8)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'onnxoptimizer==0.4.2' 'onnx==1.23.2' 'onnxruntime==1.32.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
import onnx
import onnxoptimizer
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def model(nodes, **constants):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(v), k) for k, v in constants.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return onnx.shape_inference.infer_shapes(made, strict_mode=True)


def run(made):
    session = onnxruntime.InferenceSession(made.SerializeToString())
    return session.run(None, {"x": images})[0]


images = -1 - np.random.default_rng(0).random((1, 3, 8, 8)).astype("f4")  # -2 to -1
pool = model([helper.make_node("Pad", ["x", "p"], ["a"], mode="constant"),
              helper.make_node("MaxPool", ["a"], ["y"], kernel_shape=[3, 3])],
             p=[0, 0, 1, 1, 0, 0, 1, 1])
shape = model([helper.make_node("Reshape", ["x", "a"], ["b"]),
               helper.make_node("Reshape", ["b", "c"], ["y"])], a=[3, 64], c=[0, -1, 8])
before, after = run(pool), run(onnxoptimizer.optimize(pool))
print("pad and pool, corner: before", before[0, 0, 0, 0], "after", after[0, 0, 0, 0].round(2))
print("nodes after:", [n.op_type for n in onnxoptimizer.optimize(pool).graph.node])
print("two reshapes: before", run(shape).shape, "after", run(onnxoptimizer.optimize(shape)).shape)
assert before[0, 0, 0, 0] == 0 and after[0, 0, 0, 0] < -1
assert run(shape).shape == (3, 8, 8) and run(onnxoptimizer.optimize(shape)).shape == (1, 24, 8)
PY
