#!/bin/sh
# keras 3.15.1 on torch 2.13.0 (the CPU build is enough), Python 3.11
#
# hard_sigmoid is clip(0.2 x + 0.5, 0, 1) in Keras 2 and clip(x / 6 + 0.5, 0, 1) in Keras 3, so
# whoever takes such weights over gives layers a function of their own. An LSTM of a function by the
# name of hard_sigmoid calls it. A Bidirectional of this LSTM calls Keras 3's, in both directions: it
# copies the layer, and functions are taken along by their names alone. By another name it is an
# error.
#
# Guess: the function is called, in a Bidirectional too, or there is an error.
#
# Output seen:
#     LSTM of hard_sigmoid: one's own
#     Bidirectional of it: Keras's
#     Bidirectional of the same function by the name of old_sigmoid: TypeError
#     a Bidirectional still takes Keras's hard_sigmoid for one's own

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


def hard_sigmoid(x):
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def old_sigmoid(x):
    return hard_sigmoid(x)


def whose(function, wrap):
    """Of one unit whose gates are all at 1: h = gate * tanh(gate * tanh(1))."""
    lstm = layers.LSTM(1, recurrent_activation=function)
    try:
        layer = layers.Bidirectional(lstm, merge_mode="ave") if wrap else lstm
        x = np.ones((1, 1, 1), "float32")
        layer(x)
    except Exception as error:
        return type(error).__name__
    one = [np.ones((1, 4)), np.zeros((1, 4)), np.zeros(4)]
    layer.set_weights(one * (2 if wrap else 1))
    h = float(keras.ops.convert_to_numpy(layer(x))[0, 0])
    for name, gate in (("one's own", 0.7), ("Keras's", 1 / 6 + 0.5)):
        if abs(h - gate * np.tanh(gate * np.tanh(1))) < 1e-5:
            return name
    return str(h)


seen = [whose(hard_sigmoid, False), whose(hard_sigmoid, True), whose(old_sigmoid, True)]
print("LSTM of hard_sigmoid:", seen[0])
print("Bidirectional of it:", seen[1])
print("Bidirectional of the same function by the name of old_sigmoid:", seen[2])
if seen[:2] == ["one's own", "Keras's"] and seen[2].endswith("Error"):
    print("a Bidirectional still takes Keras's hard_sigmoid for one's own")
else:
    sys.exit("this has changed")
EOF
