"""Keras's layers and their options, by files of Keras 2's layout, beside Keras's equations."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import keras_equations as ke
import keras_files as kf
import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import FormatError
from rnn_native.spec import Linear, ModelSpec, Recurrent

SIZE, UNITS, TIME, BATCH = 3, 4, 6, 2
X = np.random.default_rng(1).normal(0, 1, (BATCH, TIME, SIZE))
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}
EQUATIONS = {"SimpleRNN": ke.simple_rnn, "GRU": ke.gru, "LSTM": ke.lstm}
FUNCTIONS: dict[str, Any] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "sigmoid": ke.sigmoid,
    **dict.fromkeys(("silu", "swish"), lambda x: x * ke.sigmoid(x)),
    "gelu": lambda x: x * np.vectorize(lambda v: (1 + math.erf(v / math.sqrt(2))) / 2)(x),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "selu": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
    ),
    **dict.fromkeys(("hard_silu", "hard_swish"), lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
}


def read(folder: Path, layers: list[Any], weights: Any, version: str = "2.2.4") -> ModelSpec:
    path = kf.write_h5(folder / "model.h5", kf.sequential(*layers), weights, version)
    return formats.read(path)


def run(spec: ModelSpec, x: Any = X) -> Any:
    """y as Keras has it, [batch, time, features] or [batch, features], in float64."""
    y, _ = rn.reference.run(spec, np.swapaxes(x, 0, 1))
    return np.swapaxes(y, 0, 1) if y.ndim == 3 else y


def cell_weights(kind: str, **options: Any) -> dict[str, Any]:
    bias = None
    if options.get("use_bias") is False:
        bias = ()
    elif options.get("reset_after"):
        bias = (2, 3 * UNITS)
    return kf.lstm(SIZE, UNITS, gates=GATES[kind], bias=bias)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [("SimpleRNN", {}), ("LSTM", {}), ("GRU", {}), ("GRU", {"reset_after": True})],
)
def test_recurrent_layers(
    kind: str, options: dict[str, Any], backwards: bool, use_bias: bool, tmp_path: Path
) -> None:
    weights = cell_weights(kind, use_bias=use_bias, **options)
    given = {"use_bias": use_bias, "go_backwards": backwards, "return_sequences": False}
    layer = kf.recurrent(kind, "rnn", UNITS, **given, **options)
    expected = EQUATIONS[kind](X, list(weights.values()), backwards=backwards, **options)
    spec = read(tmp_path, [layer], {"rnn": weights})
    np.testing.assert_allclose(run(spec), expected[:, -1], rtol=0, atol=1e-12)
    (own,) = spec.recurrents
    assert own.bias == use_bias
    assert own.direction == ("reverse" if backwards else "forward")


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", EQUATIONS)
def test_activations(kind: str, name: str, tmp_path: Path) -> None:
    f = FUNCTIONS[name]
    weights = cell_weights(kind)
    gates = {} if kind == "SimpleRNN" else {"recurrent_activation": name}
    layer = kf.recurrent(kind, "rnn", UNITS, activation=name, **gates)
    expected = EQUATIONS[kind](X, list(weights.values()), f, **({"gate": f} if gates else {}))
    got = run(read(tmp_path, [layer], {"rnn": weights}))
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize(
    ("version", "function"), [("2.1.5", ke.hard_sigmoid_2), ("3.4.1", ke.hard_sigmoid_3)]
)
def test_hard_sigmoid_is_that_of_the_version(version: str, function: Any, tmp_path: Path) -> None:
    weights = cell_weights("LSTM")
    layer = kf.recurrent("LSTM", "rnn", UNITS, recurrent_activation="hard_sigmoid")
    expected = ke.lstm(X, list(weights.values()), gate=function)
    got = run(read(tmp_path, [layer], {"rnn": weights}, version))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("prefix", ["CuDNN", ""])
def test_layouts_of_cudnn(kind: str, prefix: str, tmp_path: Path) -> None:
    """In files of the layers CuDNNLSTM and CuDNNGRU, and of such weights in an LSTM and a GRU."""
    gates = GATES[kind]
    weights = kf.lstm(SIZE, UNITS, gates=gates, bias=(2 * gates * UNITS,))
    layer = kf.recurrent(kind, "rnn", UNITS, **({"reset_after": True} if kind == "GRU" else {}))
    if prefix:
        layer = kf.layer(f"CuDNN{kind}", "rnn", units=UNITS, return_sequences=True)
    own = ke.from_cudnn(list(weights.values()), gates)
    options = {"reset_after": True} if kind == "GRU" else {}
    expected = EQUATIONS[kind](X, own, **options)
    got = run(read(tmp_path, [layer], {"rnn": weights}))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_a_bias_of_cudnn_does_not_fit_a_gru_that_resets_before(tmp_path: Path) -> None:
    weights = kf.lstm(SIZE, UNITS, gates=3, bias=(6 * UNITS,))
    with pytest.raises(FormatError, match=r"'rnn' \(GRU\): bias: \(24,\) is of a cuDNN layer"):
        read(tmp_path, [kf.recurrent("GRU", "rnn", UNITS)], {"rnn": weights})


def both(kind: str, seed: int = 0, size: int = SIZE) -> dict[str, Any]:
    forward = kf.lstm(size, UNITS, seed, GATES[kind])
    backward = kf.lstm(size, UNITS, seed + 1, GATES[kind])
    return {f"forward_rnn/{name}": array for name, array in forward.items()} | {
        f"backward_rnn/{name}": array for name, array in backward.items()
    }


MERGES: dict[str, Any] = {
    "concat": lambda a, b: np.concatenate([a, b], -1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("mode", MERGES)
@pytest.mark.parametrize("kind", EQUATIONS)
def test_bidirectional(kind: str, mode: str, sequences: bool, tmp_path: Path) -> None:
    inner = kf.recurrent(kind, "rnn", UNITS, return_sequences=sequences)
    weights = both(kind)
    arrays = list(weights.values())
    half = len(arrays) // 2
    a = EQUATIONS[kind](X, arrays[:half])
    b = EQUATIONS[kind](X, arrays[half:], backwards=True)
    expected = MERGES[mode](a, b[:, ::-1]) if sequences else MERGES[mode](a[:, -1], b[:, -1])
    layer = kf.layer("Bidirectional", "both", layer=inner, merge_mode=mode)
    got = run(read(tmp_path, [layer], {"both": weights}))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_bidirectional_weights_that_are_not_trained_come_last(tmp_path: Path) -> None:
    """Keras lists what is trained first; the parts go by their names."""
    weights = both("LSTM")
    turned = dict(sorted(weights.items(), key=lambda item: item[0].startswith("forward")))
    assert list(turned) != list(weights)
    inner = kf.recurrent("LSTM", "rnn", UNITS)
    layer = kf.layer("Bidirectional", "both", layer=inner, merge_mode="concat")
    one = read(tmp_path, [layer], {"both": weights})
    other = read(tmp_path, [layer], {"both": turned})
    np.testing.assert_array_equal(run(one), run(other))


def test_the_directions_can_have_activations_of_their_own(tmp_path: Path) -> None:
    first = kf.recurrent("SimpleRNN", "a", UNITS)
    second = kf.recurrent("SimpleRNN", "b", UNITS, activation="softsign", go_backwards=True)
    layer = kf.layer(
        "Bidirectional", "both", layer=first, backward_layer=second, merge_mode="concat"
    )
    weights = both("SimpleRNN")
    arrays = list(weights.values())
    a = ke.simple_rnn(X, arrays[:3])
    b = ke.simple_rnn(X, arrays[3:], FUNCTIONS["softsign"], backwards=True)
    got = run(read(tmp_path, [layer], {"both": weights}))
    np.testing.assert_allclose(got, np.concatenate([a, b[:, ::-1]], -1), rtol=0, atol=1e-12)


def test_cells_and_stacks_of_cells(tmp_path: Path) -> None:
    cells = [
        kf.layer("LSTMCell", "a", units=UNITS, activation="tanh", recurrent_activation="sigmoid"),
        kf.layer("GRUCell", "b", units=2, recurrent_activation="sigmoid", reset_after=False),
        kf.layer("SimpleRNNCell", "c", units=5),
    ]
    stack = {"class_name": "StackedRNNCells", "config": {"name": "stack", "cells": cells}}
    layers = [
        kf.layer("RNN", "rnn", cell=stack, return_sequences=True),
        kf.layer("RNN", "last", cell=cells[0], return_sequences=False),
    ]
    a, b, c = kf.lstm(SIZE, UNITS), kf.lstm(UNITS, 2, 1, 3), kf.lstm(2, 5, 2, 1)
    weights = {
        f"{prefix}/{name}": array
        for prefix, arrays in (("a", a), ("b", b), ("c", c))
        for name, array in arrays.items()
    }
    last = kf.lstm(5, UNITS, 3)
    y = ke.lstm(X, list(a.values()))
    y = ke.simple_rnn(ke.gru(y, list(b.values())), list(c.values()))
    y = ke.lstm(y, list(last.values()))
    spec = read(tmp_path, layers, {"rnn": weights, "last": last})
    np.testing.assert_allclose(run(spec), y[:, -1], rtol=0, atol=1e-12)
    assert [layer.cell for layer in spec.recurrents] == ["lstm", "gru", "rnn", "lstm"]


def test_layers_of_steps(tmp_path: Path) -> None:
    layers = [
        kf.layer("Dropout", "dropout", rate=0.5),
        kf.layer(
            "TimeDistributed", "each", layer=kf.layer("Dense", "in", units=5, activation="relu")
        ),
        kf.layer("GaussianNoise", "noise", stddev=1),
        kf.recurrent("LSTM", "rnn", UNITS),
        kf.layer("SpatialDropout1D", "spatial", rate=0.5),
        kf.layer("Dense", "out", units=2, activation="linear"),
        kf.layer("Activation", "act", activation="softmax"),
    ]
    first, cell, last = kf.dense(SIZE, 5), kf.lstm(5, UNITS), kf.dense(UNITS, 2)
    weights: dict[str, Any] = {layer["config"]["name"]: {} for layer in layers}
    spec = read(tmp_path, layers, weights | {"each": first, "rnn": cell, "out": last})
    y = np.maximum(ke.dense(X, list(first.values())), 0)
    y = ke.softmax(ke.dense(ke.lstm(y, list(cell.values())), list(last.values())))
    np.testing.assert_allclose(run(spec), y, rtol=0, atol=1e-12)
    assert [type(layer) for layer in spec.layers] == [Linear, Recurrent, Linear]


@pytest.mark.parametrize("masks", [True, False])
def test_embeddings(masks: bool, tmp_path: Path) -> None:
    layers = [
        kf.layer("Embedding", "table", input_dim=7, output_dim=SIZE, mask_zero=masks),
        kf.recurrent("GRU", "rnn", UNITS, return_sequences=False),
    ]
    table, cell = kf.embedding(7, SIZE), kf.lstm(SIZE, UNITS, gates=3)
    spec = read(tmp_path, layers, {"table": table, "rnn": cell})
    indices = np.array([[1, 2, 3, 4], [5, 6, 0, 0]])
    assert spec.mask_value == (0 if masks else None)
    y = ke.gru(table["embeddings"][indices], list(cell.values()))
    expected = np.stack([y[0, 3], y[1, 1 if masks else 3]])
    np.testing.assert_allclose(run(spec, indices), expected, rtol=0, atol=1e-12)


def test_masking(tmp_path: Path) -> None:
    cell = kf.lstm(SIZE, UNITS)
    layers = [
        kf.layer("Masking", "mask", mask_value=-2),
        kf.recurrent("LSTM", "rnn", UNITS, return_sequences=False),
    ]
    spec = read(tmp_path, layers, {"mask": {}, "rnn": cell})
    assert spec.mask_value == -2
    x = X.copy()
    x[1, 4:] = -2
    y = ke.lstm(X, list(cell.values()))
    np.testing.assert_allclose(run(spec, x), np.stack([y[0, -1], y[1, 3]]), rtol=0, atol=1e-12)


BACK = {"go_backwards": True}


@pytest.mark.parametrize(
    ("first", "second", "turned"),
    [(BACK, {}, True), (BACK, BACK, False), ({}, BACK, True), ({}, {}, False)],
)
def test_sequences_that_go_backwards(
    first: dict[str, Any], second: dict[str, Any], turned: bool, tmp_path: Path
) -> None:
    """What follows meets Keras's sequence, last step first; only an output that is still turned
    round comes in another order, with a warning."""
    layers = [
        kf.recurrent("LSTM", "a", UNITS, **first),
        kf.layer("Dense", "d", units=2, activation="tanh"),
        kf.recurrent("GRU", "b", UNITS, **second),
    ]
    a, d, b = kf.lstm(SIZE, UNITS), kf.dense(UNITS, 2), kf.lstm(2, UNITS, 1, 3)
    y = ke.lstm(X, list(a.values()), backwards=bool(first))
    y = ke.gru(np.tanh(ke.dense(y, list(d.values()))), list(b.values()), backwards=bool(second))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spec = read(tmp_path, layers, {"a": a, "d": d, "b": b})
    got = run(spec)
    np.testing.assert_allclose(got[:, ::-1] if turned else got, y, rtol=0, atol=1e-12)
    assert [str(w.message) for w in caught if "y[::-1]" in str(w.message)] or not turned
    assert bool(caught) == turned


@pytest.mark.parametrize("mode", MERGES)
@pytest.mark.parametrize("end", ["dense", "layer", "both", "sequence", "last"])
def test_a_bidirectional_layer_of_a_sequence_that_goes_backwards(
    mode: str, end: str, tmp_path: Path
) -> None:
    """Its directions and the halves of its outputs are exchanged, whatever comes behind it."""
    inner = kf.recurrent("LSTM", "rnn", UNITS, return_sequences=end != "last")
    a, b = kf.lstm(SIZE, UNITS, 7), both("LSTM", size=UNITS)
    layers = [
        kf.recurrent("LSTM", "a", UNITS, go_backwards=True),
        kf.layer("Bidirectional", "b", layer=inner, merge_mode=mode),
    ]
    weights = {"a": a, "b": b}
    y = ke.lstm(X, list(a.values()), backwards=True)
    arrays = list(b.values())
    forward, backward = ke.lstm(y, arrays[:3]), ke.lstm(y, arrays[3:], backwards=True)
    y = MERGES[mode](forward, backward[:, ::-1])
    if end == "last":
        y = MERGES[mode](forward[:, -1], backward[:, -1])
    width = y.shape[-1]
    if end == "dense":
        weights["c"] = kf.dense(width, 2)
        layers.append(kf.layer("Dense", "c", units=2, activation="linear"))
        y = ke.dense(y, list(weights["c"].values()))
    elif end == "layer":
        weights["c"] = kf.lstm(width, 2, 8, 3)
        layers.append(kf.recurrent("GRU", "c", 2, return_sequences=False))
        y = ke.gru(y, list(weights["c"].values()))[:, -1]
    elif end == "both":
        weights["c"] = both("GRU", 9, width)
        again = kf.recurrent("GRU", "rnn", UNITS, return_sequences=False)
        layers.append(kf.layer("Bidirectional", "c", layer=again, merge_mode="concat"))
        parts = list(weights["c"].values())
        y = np.concatenate(
            [ke.gru(y, parts[:3])[:, -1], ke.gru(y, parts[3:], backwards=True)[:, -1]], -1
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spec = read(tmp_path, layers, weights)
    got = run(spec)
    turned = end in ("dense", "sequence")
    assert bool(caught) == turned
    np.testing.assert_allclose(got[:, ::-1] if turned else got, y, rtol=0, atol=1e-12)
