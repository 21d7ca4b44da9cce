#!/bin/sh
# keras 3.15.1 on jax 0.10.2, Python 3.11
#
# On the JAX backend a stateful layer carries its state when the model is called, and never in
# predict, predict_on_batch and evaluate: each batch starts from zero, without a word, and the
# state is zero afterwards. On the numpy backend the same predict carries it from batch to batch.
#
# Guess: predict carries the state on every backend; that is what stateful=True is for.
#
# Output seen:
#     jax, two calls: same result: False
#     jax, predict of two equal batches: same result: True, state zero: True
#     jax, predict_on_batch twice: same result: True
#     jax, evaluate twice: same loss: True
#     numpy, predict of two equal batches: same result: False, state zero: False
#     predict on JAX still starts every batch from zero

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -qq --disable-pip-version-check --no-deps \
    keras==3.15.1 absl-py==2.5.1 h5py==3.16.0 markdown-it-py==4.3.0 mdurl==0.1.2 \
    ml-dtypes==0.6.0 namex==0.1.0 optree==0.20.0 packaging==26.4 pygments==2.21.0 rich==15.0.0 \
    jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 opt-einsum==3.4.0 scipy==1.17.1 \
    typing-extensions==4.16.0 || exit 2
cd "$dir"
KERAS_HOME=$dir JAX_PLATFORMS=cpu "$dir/venv/bin/python" - <<'EOF'
import os, subprocess, sys

code = '''
import keras
import numpy as np

name = keras.backend.backend()
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(2, 3, 3)).astype("float32")
layer = keras.layers.LSTM(4, stateful=True)
model = keras.Sequential([keras.Input(batch_shape=(2, 3, 3)), layer])
same = True
if name == "jax":
    a, b = np.asarray(model(x)), np.asarray(model(x))
    print("jax, two calls: same result:", np.array_equal(a, b))
    same &= not np.array_equal(a, b)
    layer.reset_states()
y = model.predict(np.concatenate([x, x]), batch_size=2, verbose=0)
equal = np.array_equal(y[:2], y[2:])
zero = not np.asarray(layer.states[0].value).any()
print(f"{name}, predict of two equal batches: same result: {equal}, state zero: {zero}")
if name == "jax":
    a, b = model.predict_on_batch(x), model.predict_on_batch(x)
    print("jax, predict_on_batch twice: same result:", np.array_equal(a, b))
    model.compile(loss="mse")
    c, d = (model.evaluate(x, np.zeros((2, 4)), batch_size=2, verbose=0) for _ in range(2))
    print("jax, evaluate twice: same loss:", c == d)
    same &= equal and zero and np.array_equal(a, b) and c == d
else:
    same &= not equal and not zero
raise SystemExit(not same)
'''
same = True
for backend in ("jax", "numpy"): # a process has one backend
    environment = os.environ | {"KERAS_BACKEND": backend}
    same &= subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
if same:
    print("predict on JAX still starts every batch from zero")
else:
    sys.exit("this has changed")
EOF
