#!/bin/sh
# keras 3.15.1 on torch 2.13.0 (the CPU build is enough), onnx 1.23.2, onnxscript 0.7.2,
# onnxruntime 1.32.0, Python 3.11
#
# model.export(..., format="onnx") of a Keras model whose input has time None, on the torch
# backend: the file says that time is dynamic, and calculates the first step alone. LSTM and GRU
# return one step for a sequence of any length, and return_sequences=False the state after step 1,
# of the right shape. SimpleRNN stops with an error unless the sequence has one step. The model is
# traced with a sequence of length 1. With a number for time in the Input all steps are there.
#
# Guess: a loop, or an error that says to fix the length.
#
# Output seen:
#     LSTM, all steps: says time is 'dim_0_1'; 5 steps give (2, 1, 4), Keras (2, 5, 4)
#     LSTM, last step: that of step 1: True, of step 5: False
#     GRU, all steps: says time is 'dim_0_1'; 5 steps give (2, 1, 4), Keras (2, 5, 4)
#     GRU, last step: that of step 1: True, of step 5: False
#     SimpleRNN, 5 steps: Fail
#     LSTM, time 5 in its Input: that of step 5: True
#     one step alone is still exported

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    keras==3.15.1 absl-py==2.5.1 h5py==3.16.0 markdown-it-py==4.3.0 mdurl==0.1.2 \
    ml-dtypes==0.6.0 namex==0.1.0 optree==0.20.0 packaging==26.4 pygments==2.21.0 rich==15.0.0 \
    torch==2.13.0 filelock==4.3.1 fsspec==2026.9.0 jinja2==3.1.6 markupsafe==3.0.4 \
    mpmath==1.3.0 networkx==3.6.1 numpy==2.4.6 sympy==1.14.0 typing-extensions==4.16.0 \
    onnx==1.23.2 protobuf==7.36.2 onnxscript==0.7.2 onnx-ir==1.1.0 onnxruntime==1.32.0 \
    flatbuffers==25.12.19 || exit 2
cd "$dir"
KERAS_HOME=$dir KERAS_BACKEND=torch "$dir/venv/bin/python" - <<'EOF'
import logging, sys, warnings

import keras
import numpy as np
import onnxruntime

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")


def session(model):
    model.predict(x, verbose=0)
    model.export("model.onnx", format="onnx", verbose=False)
    return onnxruntime.InferenceSession("model.onnx", options)


def run(ran):
    return ran.run(None, {ran.get_inputs()[0].name: x})[0]


def network(kind, time, **options):
    return keras.Sequential([keras.Input((time, 3)), kind(4, **options)])


def close(a, b):
    return a.shape == b.shape and bool(abs(a - b).max() < 1e-5)


same = True
for kind in (keras.layers.LSTM, keras.layers.GRU):
    model = network(kind, None, return_sequences=True)
    ran = session(model)
    says, y, wanted = ran.get_inputs()[0].shape[1], run(ran), model.predict(x, verbose=0)
    print(f"{kind.__name__}, all steps: says time is {says!r};", end=" ")
    print(f"5 steps give {y.shape}, Keras {wanted.shape}")
    same &= isinstance(says, str) and y.shape == (2, 1, 4) and wanted.shape == (2, 5, 4)
    model = network(kind, None)
    y = run(session(model))
    first, last = (close(y, model.predict(x[:, :n], verbose=0)) for n in (1, 5))
    print(f"{kind.__name__}, last step: that of step 1: {first}, of step 5: {last}")
    same &= first and not last
try:
    simple = str(run(session(network(keras.layers.SimpleRNN, None))).shape)
except Exception as error:
    simple = type(error).__name__
print(f"SimpleRNN, 5 steps: {simple}")
model = network(keras.layers.LSTM, 5)
fixed = close(run(session(model)), model.predict(x, verbose=0))
print(f"LSTM, time 5 in its Input: that of step 5: {fixed}")
if same and simple == "Fail" and fixed:
    print("one step alone is still exported")
else:
    sys.exit("this has changed")
EOF
