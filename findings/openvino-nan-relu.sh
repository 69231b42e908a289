#!/usr/bin/env bash
# OpenVINO makes a network of NaN answer like a healthy one.
#
# Expected: a model whose weights became NaN in training gives NaN in every runtime, so a test
# for finite outputs finds it.
# Happens: ReLU and Clip give 0 for NaN in OpenVINO, on the CPU in float32; the layers after it
# see zeros, and the softmax of the last bias comes out, finite and the same for every picture.
# Max(NaN, 1) is 1 but Max(1, NaN) is NaN, NaN > 0 is true, and the softmax of logits with one
# NaN is 0 for all the others. ONNX Runtime gives NaN, NaN, NaN, false and NaN throughout.
# Versions: openvino 2026.4.1, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6; Python 3.11,
# x86-64.
# For a user: test the weights for finiteness before the export, not the outputs after it. A
# diverged model scores what a constant guess scores.
#
# Seen:
#   diverged network: ONNX Runtime [nan nan nan] OpenVINO [0.09  0.245 0.665] [0.09  0.245 0.665]
#   Relu([nan, -1.0]): ONNX Runtime [nan, 0.0], OpenVINO [0.0, 0.0]
#   Relu([nan, 2.0]): ONNX Runtime [nan, 2.0], OpenVINO [0.0, 2.0]
#   Max([nan, 1.0], [1.0, nan]): ONNX Runtime [nan, nan], OpenVINO [1.0, nan]
#   Greater([nan, 1.0], [0.0, 0.0]): ONNX Runtime [False, True], OpenVINO [True, True]
#   Softmax([1.0, nan, 2.0]): ONNX Runtime [nan, nan, nan], OpenVINO [0.0, nan, 0.0]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'openvino==2026.4.1' 'onnx==1.23.2' 'onnxruntime==1.32.0' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY'
import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

nan = np.float32("nan")


def both(nodes, feed, kind=TensorProto.FLOAT, **constants):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(k, TensorProto.FLOAT, v.shape) for k, v in feed.items()],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(v, k) for k, v in constants.items()])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    core = openvino.Core()
    net = core.compile_model(core.read_model(data), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    other = onnxruntime.InferenceSession(data).run(None, feed)[0]
    return other, net(feed)[0]


def one(op, *values, kind=TensorProto.FLOAT):
    feed = {f"x{i}": np.array(v, "f4") for i, v in enumerate(values)}
    other, mine = both([helper.make_node(op, list(feed), ["y"])], feed, kind)
    shown = ", ".join(str([float(a) for a in v]) for v in values)
    print(f"{op}({shown}): ONNX Runtime {other.tolist()}, OpenVINO {mine.tolist()}")
    return other, mine


images = np.random.default_rng(0).random((2, 16)).astype("f4")
net = [helper.make_node("Gemm", ["x", "w", "b"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
       helper.make_node("Gemm", ["r", "v", "c"], ["z"]), helper.make_node("Softmax", ["z"], ["y"])]
other, mine = both(net, {"x": images}, w=np.full((16, 8), nan), b=np.full(8, nan),
                   v=np.ones((8, 3), "f4"), c=np.array([0, 1, 2], "f4"))
print("diverged network: ONNX Runtime", other[0], "OpenVINO", *mine.round(3))
assert np.isnan(other).all() and np.isfinite(mine).all()
assert np.isnan(one("Relu", [nan, -1])[0][0]) and one("Relu", [nan, 2])[1].tolist() == [0, 2]
other, mine = one("Max", [nan, 1], [1, nan])
assert np.isnan(other).all() and mine[0] == 1 and np.isnan(mine[1])
other, mine = one("Greater", [nan, 1], [0, 0], kind=TensorProto.BOOL)
assert not other[0] and mine[0]
other, mine = one("Softmax", [1, nan, 2])
assert np.isnan(other).all() and mine[[0, 2]].tolist() == [0, 0]
PY
