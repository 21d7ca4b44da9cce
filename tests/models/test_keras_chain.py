"""What chains made by Keras need, against Keras itself: the merge modes of ``Bidirectional``,
``return_sequences=False``, and padding that ``Masking`` or ``Embedding(mask_zero=True)`` tells.

Specs are put together by hand from the layers' weights: no reader is tested here.

Tolerance: that of conftest.py, for Keras multiplies matrices in float32 even where it is told to
calculate in float64.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import Embedding, Layer, Linear, Merge, ModelSpec, Recurrent

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch")
keras = pytest.importorskip("keras")

pytestmark = pytest.mark.oracle

Array = NDArray[Any]

TIME, INPUT, HIDDEN = 7, 3, 4
LENGTHS = [7, 3, 0, 1, 5]
BATCH = len(LENGTHS)

LAYERS = {"rnn": "SimpleRNN", "gru": "GRU", "gru before": "GRU", "lstm": "LSTM"}
cells = pytest.mark.parametrize("cell", list(LAYERS))


def make(cell: str, **options: Any) -> Any:
    """A Keras layer with weights of order 1 / sqrt(HIDDEN), biases among them."""
    if cell.startswith("gru"):
        options["reset_after"] = cell == "gru"
    return getattr(keras.layers, LAYERS[cell])(HIDDEN, **options)


def randomize(model: Any) -> Any:
    rng = np.random.default_rng(9)
    model.set_weights([rng.uniform(-0.5, 0.5, w.shape) for w in model.get_weights()])
    return model


def arrays(layer: Any, cell: str, ending: str) -> dict[str, Array]:
    """Keras's (in, G * H) kernels as PyTorch's, gates of a GRU from z, r, h to r, z, n."""
    kernel, recurrent, bias = (np.asarray(w) for w in layer.get_weights())
    gates = [1, 0, 2] if cell.startswith("gru") else range(kernel.shape[1] // HIDDEN)

    def ordered(a: Array) -> Array:
        return np.concatenate([a[..., g * HIDDEN : (g + 1) * HIDDEN] for g in gates], axis=-1)

    both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
    return {
        f"weight_ih_l0{ending}": ordered(kernel).T,
        f"weight_hh_l0{ending}": ordered(recurrent).T,
        f"bias_ih_l0{ending}": ordered(both[0]),
        f"bias_hh_l0{ending}": ordered(both[1]),
    }


def recurrent(layer: Any, cell: str, width: int = INPUT) -> list[Layer]:
    """A layer, or a Bidirectional one and what merges its directions."""
    options: dict[str, Any] = {"return_sequences": layer.return_sequences}
    if cell == "gru before":
        options["reset_after"] = False
    kind = cell.split()[0]
    if not isinstance(layer, keras.layers.Bidirectional):
        return [Recurrent(kind, width, HIDDEN, arrays(layer, cell, ""), **options)]
    weights = arrays(layer.forward_layer, cell, "") | arrays(layer.backward_layer, cell, "_reverse")
    both = Recurrent(kind, width, HIDDEN, weights, direction="bidirectional", **options)
    merge = [] if layer.merge_mode == "concat" else [Merge(layer.merge_mode, HIDDEN)]
    return [both, *merge]


def dense(layer: Any) -> Linear:
    kernel, bias = (np.asarray(w) for w in layer.get_weights())
    return Linear(kernel.T, bias, layer.activation.__name__)


def padded(mask_value: float) -> Array:
    """x [time, batch, features] whose rows have LENGTHS steps; valid steps hold the value too."""
    x = np.random.default_rng(10).standard_normal((TIME, BATCH, INPUT)).astype(np.float32)
    x[:, :, 1] = mask_value
    for row, length in enumerate(LENGTHS):
        x[length:, row] = mask_value
    return x


def assert_same(run: Any, got: Any, want: Array) -> None:
    assert got.shape == want.shape
    run.assert_close(got, want)


def predict(model: Any, x: Any) -> Array:
    """Keras takes [batch, time, ...]; a sequence comes back with time first, as ours."""
    y = np.asarray(model(np.swapaxes(x, 0, 1)).detach().numpy())
    return np.swapaxes(y, 0, 1) if y.ndim == 3 else y


@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
@cells
def test_bidirectional_in_every_merge_mode(cell, mode, return_sequences, run):
    layer = keras.layers.Bidirectional(
        make(cell, return_sequences=return_sequences), merge_mode=mode
    )
    model = randomize(keras.Sequential([keras.Input((None, INPUT)), layer]))
    spec = ModelSpec(tuple(recurrent(layer, cell)))
    x = np.random.default_rng(11).standard_normal((TIME, BATCH, INPUT)).astype(np.float32)
    assert_same(run, run(spec, x)[0], predict(model, x))


@cells
def test_a_last_state_with_a_head(cell, run):
    lower, upper = make(cell, return_sequences=True), make(cell)
    head = keras.layers.Dense(3, activation="softmax")
    model = keras.Sequential([keras.Input((None, INPUT)), lower, upper, head])
    randomize(model)
    spec = ModelSpec((*recurrent(lower, cell), *recurrent(upper, cell, HIDDEN), dense(head)))
    x = np.random.default_rng(12).standard_normal((TIME, BATCH, INPUT)).astype(np.float32)
    want = predict(model, x)
    assert_same(run, run(spec, x)[0], want)


@cells
def test_a_stream_ends_where_keras_does(cell, compiled):
    layer = make(cell)
    model = randomize(keras.Sequential([keras.Input((None, INPUT)), layer]))
    x = np.random.default_rng(14).standard_normal((TIME, BATCH, INPUT)).astype(np.float32)
    stream = rn.Model(ModelSpec(tuple(recurrent(layer, cell)))).stream(batch=BATCH)
    for t in range(TIME):
        assert_same(compiled, stream.step(x[t]), predict(model, x[: t + 1]))


@pytest.mark.parametrize("mask_value", [0.0, -1.0, 0.1])
@cells
def test_masking_ends_rows_where_it_does_in_keras(cell, mask_value, run):
    """A row without any valid step among them."""
    lower = keras.layers.Bidirectional(make(cell, return_sequences=True), merge_mode="sum")
    upper = keras.layers.Bidirectional(make(cell), merge_mode="ave")
    head = keras.layers.Dense(2, activation="tanh")
    mask = keras.layers.Masking(mask_value)
    model = keras.Sequential([keras.Input((None, INPUT)), mask, lower, upper, head])
    randomize(model)
    layers = (*recurrent(lower, cell), *recurrent(upper, cell, HIDDEN), dense(head))
    x = padded(mask_value)
    want = predict(model, x)
    assert_same(run, run(ModelSpec(layers, mask_value), x)[0], want)
    assert np.abs(run(ModelSpec(layers), x)[0] - want).max() > 1e-3  # the mask matters


@cells
def test_steps_before_the_mask_are_keras_too(cell, run):
    """What comes after them Keras fills with the last output; here it is 0."""
    layer = make(cell, return_sequences=True)
    mask = keras.layers.Masking(0.0)
    model = keras.Sequential([keras.Input((None, INPUT)), mask, layer])
    randomize(model)
    x = padded(0.0)
    y, want = run(ModelSpec(tuple(recurrent(layer, cell)), 0.0), x)[0], predict(model, x)
    for row, length in enumerate(LENGTHS):
        if length:
            assert_same(run, y[:length, row], want[:length, row])
        assert not y[length:, row].any()


@cells
def test_mask_zero_of_an_embedding(cell, run):
    table = keras.layers.Embedding(9, INPUT, mask_zero=True)
    layer = keras.layers.Bidirectional(make(cell), merge_mode="mul")
    model = keras.Sequential([keras.Input((None,), dtype="int32"), table, layer])
    randomize(model)
    x = np.random.default_rng(13).integers(1, 9, (TIME, BATCH))
    for row, length in enumerate(LENGTHS):
        x[length:, row] = 0
    embedding = Embedding(np.asarray(table.get_weights()[0]))
    spec = ModelSpec((embedding, *recurrent(layer, cell)), 0)
    assert_same(run, run(spec, x)[0], predict(model, x))
