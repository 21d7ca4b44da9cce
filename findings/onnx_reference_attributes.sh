#!/bin/sh
# onnx 1.23.2 (onnx.reference), onnxruntime 1.32.0 as the other voice, Python 3.11
#
# onnx.reference.ReferenceEvaluator, which says what a graph means, leaves sequence_lens and clip
# of LSTM, GRU and RNN, and activations and input_forget of LSTM, out of its calculation, without
# a word: its output has the very bits of the plain node. onnxruntime obeys each of them, and
# agrees with the evaluator on the plain node and on direction="reverse". (RNN's activations are
# looked at: "Relu" is refused as unknown, "Tanh" is not.)
#
# Guess: the evaluator obeys every attribute, or refuses what it does not know.
#
# Output seen: for each op the plain node and reverse "agree", and
#     LSTM lengths 5 and 2: evaluator has the plain node's bits: True, onnxruntime: False
#     ... and so on for each op and option
#     the evaluator still leaves them out

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    onnx==1.23.2 ml-dtypes==0.6.0 protobuf==7.36.2 onnxruntime==1.32.0 flatbuffers==25.12.19 \
    numpy==2.4.6 packaging==26.4 typing-extensions==4.16.0 || exit 2
cd "$dir"
"$dir/venv/bin/python" - <<'EOF'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

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


def by_evaluator(model, feeds):
    return ReferenceEvaluator(model).run(None, feeds)[0]


same = True
for op in GATES:
    plain = [f(*graph(op)) for f in (by_evaluator, by_onnxruntime)]
    back = [f(*graph(op, direction="reverse")) for f in (by_evaluator, by_onnxruntime)]
    agree = all(abs(a - b).max() < 1e-5 for a, b in (plain, back))
    print(f"{op} plain and reverse: {'agree' if agree else 'DIFFER'}")
    options = {"lengths 5 and 2": {"lengths": [5, 2]}, "clip 0.1": {"clip": 0.1}}
    if op == "LSTM":
        options["activations"] = {"activations": ["HardSigmoid", "Tanh", "Relu"]}
        options["input_forget"] = {"input_forget": 1}
    same &= agree
    for name, option in options.items():
        model, feeds = graph(op, **option)
        ignored = np.array_equal(by_evaluator(model, feeds), plain[0])
        other = abs(by_onnxruntime(model, feeds) - plain[1]).max() < 1e-5
        print(f"{op} {name}: evaluator has the plain node's bits: {ignored}, onnxruntime: {other}")
        same &= ignored and not other
if same:
    print("the evaluator still leaves them out")
else:
    sys.exit("this has changed")
EOF
