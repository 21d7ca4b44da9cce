#!/bin/sh
# keras 3.15.1 on torch 2.13.0 (the CPU build is enough), Python 3.11
#
# On the torch backend an LSTM, GRU or SimpleRNN of dtype float16 or bfloat16 in a Sequential with
# an Input has its input kernel and no other weight, and the layers after it have none; yet the model
# says that it is built, and save writes such a file without a word. PyTorch has no QR of half types
# on a CPU, which the orthogonal start of the recurrent kernel needs; its NotImplementedError is
# taken by Sequential for a model that cannot be built yet. With another recurrent_initializer all
# weights are there.
#
# Guess: all five arrays, of 16 bits.
#
# Output seen:
#     LSTM float32: built True, saved 5 arrays
#     LSTM float16: built True, saved 1 arrays
#     GRU bfloat16: built True, saved 1 arrays
#     SimpleRNN float16: built True, saved 1 arrays
#     LSTM float16, recurrent_initializer glorot_uniform: built True, saved 5 arrays
#     a half-precision layer is still saved without its recurrent weights

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

import h5py
import keras

layers = keras.layers


def saved(kind, dtype, **options):
    layer = kind(8, dtype=dtype, **options)
    model = keras.Sequential([keras.Input((None, 4)), layer, layers.Dense(2)])
    model.save_weights("a.weights.h5")
    arrays = []
    with h5py.File("a.weights.h5") as file:
        file.visititems(lambda name, item: arrays.append(name) if hasattr(item, "shape") else None)
    also = "".join(f", {name} {value}" for name, value in options.items())
    print(f"{kind.__name__} {dtype}{also}: built {model.built}, saved {len(arrays)} arrays")
    return model.built, len(arrays)


seen = [
    saved(layers.LSTM, "float32"),
    saved(layers.LSTM, "float16"),
    saved(layers.GRU, "bfloat16"),
    saved(layers.SimpleRNN, "float16"),
    saved(layers.LSTM, "float16", recurrent_initializer="glorot_uniform"),
]
if seen == [(True, 5), (True, 1), (True, 1), (True, 1), (True, 5)]:
    print("a half-precision layer is still saved without its recurrent weights")
else:
    sys.exit("this has changed")
EOF
