#!/bin/sh
# tract 0.23.9 (the Python binding of a runtime in Rust), onnx 1.23.2, onnxruntime 1.32.0 as the
# other voice, Python 3.11
#
# tract runs an ONNX LSTM, GRU or RNN with direction="reverse" forwards, without a word, though it
# runs "bidirectional" right. Likewise "activations" and "clip" of all three, and input_forget,
# have no effect: an RNN of HardSigmoid is one of tanh. Peepholes and linear_before_reset are
# obeyed.
#
# Guess: obeyed, or refused; reverse in any case, since bidirectional needs it.
#
# Output seen: for each op
#     LSTM bidirectional: agrees with onnxruntime: True
#     LSTM reverse: agrees with onnxruntime: False, with its own forward: True
#     LSTM activations: agrees with onnxruntime: False, with its own plain node: True
#     ... and so on
#     reverse still runs forwards

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    onnx==1.23.2 ml-dtypes==0.6.0 protobuf==7.36.2 tract==0.23.9 onnxruntime==1.32.0 \
    flatbuffers==25.12.19 numpy==2.4.6 packaging==26.4 typing-extensions==4.16.0 || exit 2
cd "$dir"
"$dir/venv/bin/python" - <<'EOF'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
import tract

T, B, I, H = 5, 2, 3, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def graph(op, lengths=None, peepholes=False, **attributes):
    """One node with states to begin with, its weights as initializers; and its inputs."""
    rng, G = np.random.default_rng(0), GATES[op] # of its own: the same numbers each time
    D = 2 if attributes.get("direction") == "bidirectional" else 1
    draw = lambda *shape: rng.normal(size=shape).astype("float32")
    weights = {"W": draw(D, G * H, I), "R": draw(D, G * H, H), "B": draw(D, 2 * G * H)}
    feeds = {"X": draw(T, B, I), "h_0": draw(D, B, H)}
    names = ["X", "W", "R", "B", "", "h_0"]
    if op == "LSTM":
        feeds["c_0"], names = draw(D, B, H), [*names, "c_0"]
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
        helper.make_tensor_value_info("Y", TensorProto.FLOAT, [T, D, B, H]),
        helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, [D, B, H]),
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


def by_tract(model, feeds):
    onnx.save(model, "model.onnx")
    runnable = tract.onnx().load("model.onnx").into_model().into_runnable()
    return runnable.run([feeds[i.name] for i in model.graph.input])[0].to_numpy()


def close(a, b):
    return bool(abs(a - b).max() < 1e-5)


other = {"LSTM": ["HardSigmoid", "Tanh", "Relu"], "GRU": ["HardSigmoid", "Tanh"]}
same = True
for op in GATES:
    both = graph(op, direction="bidirectional")
    agree = close(by_tract(*both), by_onnxruntime(*both))
    print(f"{op} bidirectional: agrees with onnxruntime: {agree}")
    same &= agree
    options = {
        "reverse": {"direction": "reverse"},
        "activations": {"activations": other.get(op, ["HardSigmoid"])},
        "clip": {"clip": 0.3},
    }
    if op == "LSTM":
        options["input_forget"] = {"input_forget": 1}
    plain = by_tract(*graph(op))
    for name, option in options.items():
        one = graph(op, **option)
        y = by_tract(*one)
        agree, as_plain = close(y, by_onnxruntime(*one)), close(y, plain)
        than = "forward" if name == "reverse" else "plain node"
        print(f"{op} {name}: agrees with onnxruntime: {agree}, with its own {than}: {as_plain}")
        same &= as_plain and not agree
if same:
    print("reverse still runs forwards")
else:
    sys.exit("this has changed")
EOF
