#!/bin/sh
# keras 3.15.1 on torch 2.13.0 (the CPU build is enough), Python 3.11
#
# On the torch backend a stateful LSTM or GRU cannot be trained: fit ends in its first batch with
# PyTorch's RuntimeError, "modified by an inplace operation": the layer writes its new state into
# the very tensor that the gradient still needs. A stateful SimpleRNN, and the same LSTM without
# stateful=True, are trained; a stateful LSTM does predict.
#
# Guess: fit works, and carries the state from batch to batch.
#
# Output seen:
#     LSTM: fit ends with RuntimeError, modified by an inplace operation: True
#     GRU: fit ends with RuntimeError, modified by an inplace operation: True
#     SimpleRNN: fit works
#     LSTM, not stateful: fit works
#     a stateful LSTM still cannot be trained

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    keras==3.15.1 absl-py==2.5.1 h5py==3.16.0 markdown-it-py==4.3.0 mdurl==0.1.2 \
    ml-dtypes==0.6.0 namex==0.1.0 optree==0.20.0 packaging==26.4 pygments==2.21.0 rich==15.0.0 \
    torch==2.13.0 filelock==4.3.1 fsspec==2026.9.0 jinja2==3.1.6 markupsafe==3.0.4 \
    mpmath==1.3.0 networkx==3.6.1 numpy==2.4.6 sympy==1.14.0 typing-extensions==4.16.0 || exit 2
cd "$dir"
KERAS_HOME=$dir KERAS_BACKEND=torch "$dir/venv/bin/python" - <<'EOF'
import sys

import keras
import numpy as np

layers = keras.layers
x = np.random.default_rng(0).normal(size=(2, 3, 3)).astype("float32")
y = np.zeros((2, 4), "float32")


def fit(kind, stateful=True):
    model = keras.Sequential([keras.Input(batch_shape=(2, 3, 3)), kind(4, stateful=stateful)])
    model.compile(loss="mse", optimizer=keras.optimizers.SGD(0.1))
    try:
        model.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0)
        return "works"
    except RuntimeError as error:
        cause = "modified by an inplace operation"
        return f"ends with RuntimeError, {cause}: {cause in str(error)}"


seen = [fit(layers.LSTM), fit(layers.GRU), fit(layers.SimpleRNN), fit(layers.LSTM, False)]
names = ["LSTM", "GRU", "SimpleRNN", "LSTM, not stateful"]
for name, result in zip(names, seen):
    print(f"{name}: fit {result}")
error = "ends with RuntimeError, modified by an inplace operation: True"
if seen == [error, error, "works", "works"]:
    print("a stateful LSTM still cannot be trained")
else:
    sys.exit("this has changed")
EOF
