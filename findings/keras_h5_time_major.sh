#!/bin/sh
# keras 3.15.1 on jax 0.10.2, Python 3.11; the file is in asmscan_bilstm 1.0.0
#
# Keras 3 reads .h5 files of Keras 2, but none with an LSTM, GRU or SimpleRNN that TensorFlow 2
# wrote (seen of 2.2.4-tf to 2.14.0): each has "time_major": false, which no layer of Keras 3 takes. It
# says that there are unrecognized arguments. With that one entry taken out, whose false is all
# that Keras 3 can do, the same file loads.
#
# Guess: loaded, as files with layers of other kinds from the same years are.
#
# Output seen:
#     written by Keras 2.14.0
#     load_model: ValueError: Unrecognized keyword arguments passed to LSTM: {'time_major': False}
#     without "time_major": loaded, 1637 weights
#     refuse time_major=False: LSTM, GRU, SimpleRNN
#     recurrent layers of Keras 2 are still refused

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
    asmscan_bilstm==1.0.0 || exit 2
cd "$dir"
KERAS_BACKEND=jax KERAS_HOME=$dir JAX_PLATFORMS=cpu "$dir/venv/bin/python" -W ignore - <<'EOF'
import json
import shutil
import sys

import h5py
import keras

path = "models/asmscan/bilstm/resources/model/cvms/bass-model1.h5"
with h5py.File(path) as file:
    print("written by Keras", file.attrs["keras_version"])


def loaded(path):
    """The number of weights, or the error."""
    try:
        return f"loaded, {keras.models.load_model(path, compile=False).count_params()} weights"
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def changed(name, change):
    """A copy of the file whose layers' configuration is changed."""
    shutil.copy(path, name)
    with h5py.File(name, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config["config"]["layers"])
        file.attrs["model_config"] = json.dumps(config)
    return name


def without(value):
    """Takes "time_major" out, in wrapped layers as well."""
    if isinstance(value, dict):
        value.pop("time_major", None)
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            without(part)


whole, less = loaded(path), loaded(changed("less.h5", without))
print("load_model:", whole)
print('without "time_major":', less)
refused = []
for layer in (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN):
    try:
        layer(4, time_major=False)
    except ValueError:
        refused.append(layer.__name__)
print("refuse time_major=False:", ", ".join(refused))
if "time_major" in whole and less == "loaded, 1637 weights" and len(refused) == 3:
    print("recurrent layers of Keras 2 are still refused")
else:
    sys.exit("this has changed")
EOF
