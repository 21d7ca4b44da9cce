#!/bin/sh
# openvino 2026.4.1, onnx 1.23.2, onnxruntime 1.32.0 as the other voice, Python 3.11
#
# OpenVINO reads an ONNX LSTM with peepholes (input P) or with input_forget=1, compiles it without
# a word, and runs a plain LSTM: the output has the very bits of the same node without them.
# onnxruntime obeys both.
#
# Guess: obeyed, or refused while reading, as its operator LSTMSequence has neither.
#
# Output seen:
#     plain: OpenVINO and onnxruntime agree: True
#     peepholes: OpenVINO has the plain LSTM's bits: True, agrees with onnxruntime: False
#     input_forget: OpenVINO has the plain LSTM's bits: True, agrees with onnxruntime: False
#     both: OpenVINO has the plain LSTM's bits: True, agrees with onnxruntime: False
#     peepholes and input_forget are still dropped

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    onnx==1.23.2 ml-dtypes==0.6.0 protobuf==7.36.2 openvino==2026.4.1 \
    openvino-telemetry==2025.2.0 onnxruntime==1.32.0 flatbuffers==25.12.19 numpy==2.4.6 \
    packaging==26.4 typing-extensions==4.16.0 || exit 2
cd "$dir"
"$dir/venv/bin/python" - <<'EOF'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
import openvino

T, B, I, H = 5, 2, 3, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def graph(op, lengths=None, peepholes=False, **attributes):
    """One node with states to begin with, its weights as initializers; and its inputs."""
    rng, G = np.random.default_rng(0), GATES[op] # of its own: the same numbers each time
    draw = lambda *shape: rng.normal(size=shape).astype("float32")
    weights = {"W": draw(1, G * H, I), "R": draw(1, G * H, H), "B": draw(1, 2 * G * H)}
    feeds = {"X": draw(T, B, I), "h_0": draw(1, B, H)}
    names = ["X", "W", "R", "B", "", "h_0"]
    if op == "LSTM":
        feeds["c_0"], names = draw(1, B, H), [*names, "c_0"]
    if lengths is not None:
        feeds["lengths"], names[4] = np.array(lengths, "int32"), "lengths"
    if peepholes:
        weights["P"], names = draw(1, 3 * H), [*names, "P"]
    node = helper.make_node(op, names, ["Y", "Y_h"], hidden_size=H, **attributes)
    kinds = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}
    inputs = [
        helper.make_tensor_value_info(name, kinds[str(a.dtype)], a.shape)
        for name, a in feeds.items()
    ]
    outputs = [
        helper.make_tensor_value_info("Y", TensorProto.FLOAT, [T, 1, B, H]),
        helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, [1, B, H]),
    ]
    tensors = [numpy_helper.from_array(a, name) for name, a in weights.items()]
    model = helper.make_model(
        helper.make_graph([node], "g", inputs, outputs, tensors),
        opset_imports=[helper.make_opsetid("", 14)],
        ir_version=8,
    )
    onnx.checker.check_model(model, full_check=True)
    return model, feeds


def by_onnxruntime(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, feeds)[0]


def by_openvino(model, feeds):
    core = openvino.Core()
    exact = {"INFERENCE_PRECISION_HINT": "f32"} # not bfloat16 where a CPU has it
    network = core.compile_model(core.read_model(model.SerializeToString()), "CPU", exact)
    return network(feeds)[0]


plain = by_openvino(*graph("LSTM"))
agree = bool(abs(plain - by_onnxruntime(*graph("LSTM"))).max() < 1e-5)
print(f"plain: OpenVINO and onnxruntime agree: {agree}")
options = {
    "peepholes": {"peepholes": True},
    "input_forget": {"input_forget": 1},
    "both": {"peepholes": True, "input_forget": 1},
}
same = agree
for name, option in options.items():
    model, feeds = graph("LSTM", **option)
    y = by_openvino(model, feeds)
    dropped = np.array_equal(y, plain)
    agree = bool(abs(y - by_onnxruntime(model, feeds)).max() < 1e-5)
    print(f"{name}: OpenVINO has the plain LSTM's bits: {dropped},", end=" ")
    print(f"agrees with onnxruntime: {agree}")
    same &= dropped and not agree
if same:
    print("peepholes and input_forget are still dropped")
else:
    sys.exit("this has changed")
EOF
