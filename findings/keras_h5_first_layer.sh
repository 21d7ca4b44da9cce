#!/bin/sh
# keras 3.15.1 on jax 0.10.2, Python 3.11; the file is in seeker 1.0.3
#
# A Sequential model of Keras 2 whose first layer says its own batch_input_shape, as Keras 2 wrote
# until it began files with an InputLayer, gets one more axis in Keras 3: load_model gives
# (None, None, 1000, 4) for [null, 1000, 4]. An LSTM in front is refused for it. With an InputLayer
# of the same shape put in front of it, the same layers take the shape that was saved.
# ("time_major", which Keras 3 refuses for a reason of its own, is taken out before.)
#
# Guess: batch_input_shape is what it says, with or without an InputLayer.
#
# Output seen:
#     written by Keras 2.2.4-tf, first layer LSTM, batch_input_shape [None, 1000, 4]
#     as it is: ValueError: Input 0 with name 'None' of layer 'lstm' is incompatible with the layer: expected ndim=3, found ndim=4. Full shape received: (None, None, 1000, 4)
#     behind an InputLayer: takes (None, 1000, 4)
#     a Dense in its place: takes (None, None, 1000, 4)
#     the batch is still counted twice

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    keras==3.15.1 absl-py==2.5.1 h5py==3.16.0 markdown-it-py==4.3.0 mdurl==0.1.2 \
    ml-dtypes==0.6.0 namex==0.1.0 numpy==2.4.6 optree==0.20.0 packaging==26.4 pygments==2.21.0 \
    rich==15.0.0 jax==0.10.2 jaxlib==0.10.2 opt-einsum==3.4.0 scipy==1.17.1 \
    typing-extensions==4.16.0 || exit 2
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps --target "$dir/models" \
    seeker==1.0.3 || exit 2
cd "$dir"
KERAS_BACKEND=jax KERAS_HOME=$dir JAX_PLATFORMS=cpu "$dir/venv/bin/python" -W ignore - <<'EOF'
import json
import shutil
import sys

import h5py
import keras

path = "models/seeker/models/MatModel0.h5"
with h5py.File(path) as file:
    saved = json.loads(file.attrs["model_config"])
    version = file.attrs["keras_version"]
first = saved["config"]["layers"][0]
shape = first["config"]["batch_input_shape"]
first["config"].pop("time_major")
print(f"written by Keras {version}, first layer {first['class_name']}, batch_input_shape {shape}")


def takes(name, layers):
    """The shape that a copy of the file with these layers takes, or the error."""
    shutil.copy(path, name)
    with h5py.File(name, "r+") as file:
        saved["config"]["layers"] = layers
        file.attrs["model_config"] = json.dumps(saved)
    try:
        return f"takes {keras.models.load_model(name, compile=False).input_shape}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


layers = saved["config"]["layers"]
bare = {**first, "config": {k: v for k, v in first["config"].items() if k != "batch_input_shape"}}
front = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": shape, "dtype": "float32"}}
alone = takes("alone.h5", layers)
behind = takes("behind.h5", [front, bare, *layers[1:]])
dense = {"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": shape}}
model = keras.models.Sequential.from_config({"name": "m", "layers": [dense]})
print("as it is:", alone)
print("behind an InputLayer:", behind)
print("a Dense in its place: takes", model.input_shape)
if "(None, None, 1000, 4)" in alone and behind == "takes (None, 1000, 4)" and len(model.input_shape) == 4:
    print("the batch is still counted twice")
else:
    sys.exit("this has changed")
EOF
