#!/bin/sh
# onnxruntime 1.32.0, onnx 1.23.2, torch 2.13.0 (the CPU build is enough), Python 3.11
#
# An LSTM of one direction, made int8 by onnxruntime's quantize_dynamic or by torch's
# quantize_dynamic: what it says at a step depends on inputs of later steps, and on the other rows
# of the batch. One scale is taken from the whole input, all steps and all rows, so a loud last
# step makes the first ones coarser. The same network in pieces, as in a stream, has other numbers.
#
# Guess: weights become int8 and results less exact, but a step still depends on its past alone.
#
# Output seen (the size of the change depends on the CPU's instructions):
#     changed by a last step that is ten times as large, of the steps before it:
#         onnxruntime float32  0.0000     int8  0.0616
#         torch       float32  0.0000     int8  0.0300
#     changed by another row that is ten times as large:
#         onnxruntime float32  0.0000     int8  0.0496
#         torch       float32  0.0000     int8  0.0400
#     in an int8 LSTM later steps and other rows still matter

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    onnx==1.23.2 ml-dtypes==0.6.0 protobuf==7.36.2 onnxruntime==1.32.0 flatbuffers==25.12.19 \
    packaging==26.4 torch==2.13.0 filelock==4.3.1 fsspec==2026.9.0 jinja2==3.1.6 \
    markupsafe==3.0.4 mpmath==1.3.0 networkx==3.6.1 numpy==2.4.6 sympy==1.14.0 \
    typing-extensions==4.16.0 || exit 2
cd "$dir"
"$dir/venv/bin/python" -W ignore - <<'EOF'
import logging
import sys

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

logging.disable(logging.WARNING)
T, B, I, H = 6, 2, 8, 16
rng = np.random.default_rng(0)
shapes = {"W": (1, 4 * H, I), "R": (1, 4 * H, H), "B": (1, 8 * H)}
weights = [
    numpy_helper.from_array(rng.normal(0, 0.4, shape).astype("float32"), name)
    for name, shape in shapes.items()
]
node = helper.make_node("LSTM", ["X", *shapes], ["Y"], hidden_size=H)
x_info = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["time", "batch", I])
y_info = helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["time", 1, "batch", H])
graph = helper.make_graph([node], "lstm", [x_info], [y_info], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, "float.onnx")
quantize_dynamic("float.onnx", "int8.onnx")


def by_onnxruntime(path):
    session = onnxruntime.InferenceSession(path)
    return lambda x: session.run(None, {"X": x})[0][:, 0]


def by_torch(module):
    return lambda x: module(torch.from_numpy(x))[0].detach().numpy()


torch.manual_seed(0)
lstm = torch.nn.Sequential(torch.nn.LSTM(I, H)).eval()
int8 = torch.ao.quantization.quantize_dynamic(lstm, {torch.nn.LSTM}, dtype=torch.qint8)
runs = {
    "onnxruntime": (by_onnxruntime("float.onnx"), by_onnxruntime("int8.onnx")),
    "torch": (by_torch(lstm), by_torch(int8)),
}
x = rng.standard_normal((T, B, I)).astype("float32")
loud_end, loud_row = x.copy(), x.copy()
loud_end[-1] *= 10
loud_row[:, 1] *= 10

same = True
print("changed by a last step that is ten times as large, of the steps before it:")
for name, pair in runs.items():
    plain, small = (abs(run(loud_end)[:-1] - run(x)[:-1]).max() for run in pair)
    print(f"    {name:11} float32  {plain:.4f}     int8  {small:.4f}")
    same &= bool(plain == 0 and small > 0.001)
print("changed by another row that is ten times as large:")
for name, pair in runs.items():
    plain, small = (abs(run(loud_row)[:, 0] - run(x)[:, 0]).max() for run in pair)
    print(f"    {name:11} float32  {plain:.4f}     int8  {small:.4f}")
    same &= bool(plain == 0 and small > 0.001)
if same:
    print("in an int8 LSTM later steps and other rows still matter")
else:
    sys.exit("this has changed")
EOF
